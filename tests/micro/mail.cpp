/// Addresses, the scan of the header, and our own header line.

#include "relay/mail/header_scan.hpp"
#include "relay/mail/received.hpp"
#include "tests/micro/message.hpp"

namespace relay::micro {
namespace {

Operation parse_address() {
  return [] { (void)address("first.last+tag@department.example.com"); };
}

Operation scan_header() {
  return [content = message_content(), out = std::string()]() mutable {
    static const std::vector<std::string> watched{"Precedence: bulk", "List-Id"};
    out.clear();
    mail::HeaderScan scan(kHostname, {}, &watched);
    scan.feed(content, out);
    scan.finish(out);
    require(out == content && !scan.message_id().empty(), "a header that is in order");
  };
}

Operation make_received() {
  return [envelope = message_envelope()] {
    require(mail::received_line(envelope, {7, 1}, kHostname).ends_with("\r\n"), "a Received line");
  };
}

}  // namespace

std::vector<Path> mail_paths() {
  return {
    {"mail/parse_address", 1000, parse_address},
    {"mail/scan_header", 200, scan_header},
    {"mail/make_received", 500, make_received},
  };
}

}  // namespace relay::micro
