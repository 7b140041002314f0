/// Who the client says it is, what it is offered, and STARTTLS (RFC 3207).

#include <utility>

#include "relay/base/text.hpp"
#include "relay/smtp/extensions.hpp"
#include "relay/smtp/server_session.hpp"

namespace relay::smtp {

void ServerSession::hello(const CommandView& command) {
  forget_transaction();
  helo_ = printable(command.argument, mail::kMaxDomain);
  is_extended_ = command.verb == Verb::ehlo;
  // Only the client's own pipelining tells: after EHLO it has not seen that we offer it (RFC 2920 section
  // 3.1).
  talks_ahead_ = talks_ahead_ || !input_.is_empty();
  if (!is_extended_) return junk(helo_reply(hostname_));
  const Extensions extensions{
    .max_message_size = limits_.max_message_size,
    .starttls = limits_.has_tls && !tls_,
    // RFC 8689 section 2: in the clear it is not offered, nor where a part of the way was.
    .requiretls = tls_ && is_tls_ours_,
    .auth = offers_auth()
  };
  junk(ehlo_reply(hostname_, extensions));
}

void ServerSession::start_tls(std::string_view argument) {
  if (tls_) return refuse(reply(554, {5, 5, 1}, "TLS is in use already"));
  if (!limits_.has_tls) {
    return refuse(
      limits_.needs_tls ? reply(454, {4, 7, 0}, "TLS is not available, try again later")
                        : reply(502, {5, 5, 1}, "Command not offered")
    );
  }
  if (!argument.empty()) return refuse(reply(501, {5, 5, 4}, "STARTTLS takes no argument"));
  if (!input_.is_empty()) {
    is_injection_ = true;
    return close(reply(554, {5, 5, 0}, "Nothing may follow STARTTLS, closing"), "sent more behind STARTTLS");
  }
  say(reply(220, {2, 0, 0}, "Ready to start TLS"));
  state_ = State::securing;
}

void ServerSession::apply(const server_event::TlsStarted& started) {
  if (!started.tls) {
    is_deaf_ = true;  // in the clear least of all
    return hang_up("no TLS");
  }
  forget_transaction();
  tls_ = started.tls;
  is_tls_ours_ = true;
  user_.clear();
  helo_.clear();
  is_extended_ = talks_ahead_ = content_may_follow_ = false;
  if (std::exchange(is_greeting_due_, false)) greet();
}

Reply ServerSession::tls_first() { return reply(530, {5, 7, 0}, "Must issue a STARTTLS command first"); }

void ServerSession::refuse_in_the_clear(Verb verb) {
  const auto refusal = tls_first();
  if (verb == Verb::data) refuse_data(refusal);
  else refuse(refusal);
}

}  // namespace relay::smtp
