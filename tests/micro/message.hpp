#pragma once
/// The message that the paths are measured with: 4 KiB, as an application sends them.

#include <string>

#include "relay/mail/envelope.hpp"
#include "tests/micro/path.hpp"

namespace relay::micro {

inline const std::string kHostname = "node1.example";

/// Nine fields, two of them folded, and the empty line.
inline std::string message_header() {
  return "From: \"Building Office\" <office@app.example.com>\r\n"
         "To: \"A. Tenant\" <tenant@example.net>\r\n"
         "Subject: Your parcel has arrived at the\r\n front desk\r\n"
         "Date: Sat, 31 Jan 2026 08:15:30 +0000\r\n"
         "Message-ID: <20260131081530.4711.parcel@app.example.com>\r\n"
         "MIME-Version: 1.0\r\n"
         "Content-Type: text/plain;\r\n\tcharset=utf-8\r\n"
         "Content-Transfer-Encoding: 7bit\r\n"
         "X-Mailer: notifier 12.3\r\n"
         "\r\n";
}

/// With CRLF line ends; one line in twelve begins with a dot.
inline std::string message_content() {
  auto content = message_header();
  for (unsigned line = 0; content.size() < 4096 - 72; ++line) {
    content += line % 12 == 5 ? ".dots at the start of a line are doubled on the wire, as this one is\r\n"
                              : "The quick brown fox jumps over the lazy dog, and  then it rests a bit\r\n";
  }
  return content;
}

inline mail::Address address(std::string_view text) {
  auto parsed = mail::Address::parse(text);
  require(parsed.has_value(), "an address");
  return std::move(*parsed);
}

inline mail::Envelope message_envelope() {
  mail::Envelope envelope;
  envelope.reverse_path = address("office@app.example.com");
  envelope.recipients = {address("tenant@example.net")};
  envelope.origin = {"10.1.40.70", "app-7d9f.example.com", true};
  envelope.arrival = WallTime{milliseconds{1'769'847'330'000}};
  envelope.size = message_content().size();
  envelope.message_id = "<20260131081530.4711.parcel@app.example.com>";
  return envelope;
}

}  // namespace relay::micro
