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

std::string protocol(const Envelope& envelope) {
  const auto& origin = envelope.origin;
  if (!envelope.smtputf8 && !origin.extended) return "SMTP";  // RFC 3848 has no name for it with TLS
  return std::string(envelope.smtputf8 ? "UTF8SMTP" : "ESMTP") + (origin.tls ? "S" : "") +
         (origin.user.empty() ? "" : "A");
}

std::string from_clause(const Origin& origin) {
  if (is_domain(origin.helo)) return origin.helo + " (" + literal(origin.client) + ")";
  return literal(origin.client) + " (helo=" + comment_text(origin.helo) + ")";
}

std::string tls_comment(const std::optional<TlsUse>& tls) {
  if (!tls) return {};
  // A load balancer that ended the TLS may not say which it was.
  const auto version = tls->version.empty() ? std::string("TLS") : tls->version;
  return "\r\n\t(using " + version + (tls->cipher.empty() ? "" : " with cipher " + tls->cipher) + ")";
}

}  // namespace

std::string received_line(
  const Envelope& envelope, const QueueId& id, std::string_view hostname, ClientShown shown
) {
  const auto& origin = envelope.origin;
  std::string line = "Received:";
  if (shown == ClientShown::yes) line += " from " + from_clause(origin) + tls_comment(origin.tls) + "\r\n\t";
  else line += ' ';
  line += "by " + std::string(hostname);
  line += " with " + protocol(envelope) + " id " + id.to_text();
  if (envelope.recipients.size() == 1) line += "\r\n\tfor <" + envelope.recipients.front().to_text() + ">";
  return line + ";\r\n\t" + to_rfc5322(envelope.arrival) + "\r\n";
}

}  // namespace relay::mail
