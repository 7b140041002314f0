#include "relay/smtp/transaction.hpp"

#include <algorithm>
#include <utility>

namespace relay::smtp {
namespace {

/// An envelope that only SMTPUTF8 can carry.
bool names_beyond_ascii(const mail::Envelope& envelope) {
  const auto& to = envelope.recipients;
  const auto& wanted = envelope.dsn.recipients;
  return !envelope.reverse_path.is_ascii() ||
         !std::all_of(to.begin(), to.end(), [](const auto& recipient) { return recipient.is_ascii(); }) ||
         !std::all_of(wanted.begin(), wanted.end(), [](const auto& recipient) {
           return mail::is_ascii(recipient.original_recipient);
         });
}

}  // namespace

Transaction::Transaction(MailArguments arguments, mail::Origin origin)
    : charset_(arguments.charset), is_binary_(arguments.is_binary) {
  envelope_.reverse_path = std::move(arguments.reverse_path);
  envelope_.body = arguments.body;
  envelope_.requires_tls = arguments.requires_tls;
  envelope_.dsn = {arguments.ret, std::move(arguments.envelope_id), {}};
  envelope_.origin = std::move(origin);
}

void Transaction::add_recipient(RcptArguments accepted) {
  auto& recipients = envelope_.recipients;
  const auto known = std::find(recipients.begin(), recipients.end(), accepted.recipient);
  const auto index = static_cast<std::size_t>(known - recipients.begin());
  if (known == recipients.end()) recipients.push_back(std::move(accepted.recipient));
  auto& wanted = envelope_.dsn.recipients;
  if (wanted.empty() && accepted.dsn.is_unset()) return;
  wanted.resize(recipients.size());
  if (wanted[index].is_unset()) wanted[index] = std::move(accepted.dsn);
}

Reply Transaction::no_recipients() const {
  return refused_recipients_ > 0 ? reply(554, {5, 5, 1}, "No valid recipients")
                                 : reply(503, {5, 5, 1}, "RCPT comes first");
}

mail::Envelope Transaction::finish(const mail::HeaderScan& header, std::uint64_t size) {
  envelope_.size = size;
  envelope_.smtputf8 =
    charset_ == mail::Charset::utf8 && (header.has_8bit_header() || names_beyond_ascii(envelope_));
  envelope_.is_bulk = header.has_watched_field();
  envelope_.message_id = header.message_id();
  return std::move(envelope_);
}

}  // namespace relay::smtp
