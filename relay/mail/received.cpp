#include "relay/mail/received.hpp"

#include <algorithm>

#include "relay/base/network.hpp"
#include "relay/base/text.hpp"

namespace relay::mail {
namespace {

constexpr std::size_t kMaxComment = 100;

std::string literal(const std::string& client) {
  const auto address = IpAddress::parse(client);
  return "[" + (address ? address->to_literal() : "unknown") + "]";
}

std::string comment_text(std::string_view helo) {
  std::string text = printable(helo, kMaxComment);
  std::replace_if(text.begin(), text.end(), [](char c) { return c == '(' || c == ')' || c == '\\'; }, '?');
  return text;
}

std::string_view protocol(const Envelope& envelope) {
  if (envelope.smtputf8) return "UTF8SMTP";
  return envelope.origin.extended ? "ESMTP" : "SMTP";
}

std::string from_clause(const Origin& origin) {
  if (is_domain(origin.helo)) return origin.helo + " (" + literal(origin.client) + ")";
  return literal(origin.client) + " (helo=" + comment_text(origin.helo) + ")";
}

}  // namespace

std::string received_line(const Envelope& envelope, const QueueId& id, std::string_view hostname) {
  std::string line = "Received: from " + from_clause(envelope.origin) + "\r\n\tby " + std::string(hostname);
  line += " with " + std::string(protocol(envelope)) + " id " + id.to_text();
  if (envelope.recipients.size() == 1) line += "\r\n\tfor <" + envelope.recipients.front().to_text() + ">";
  return line + ";\r\n\t" + to_rfc5322(envelope.arrival) + "\r\n";
}

}  // namespace relay::mail
