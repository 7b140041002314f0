/// AUTH in a session: when it may begin, and what its end means.

#include <utility>

#include "relay/smtp/server_session.hpp"

namespace relay::smtp {

bool ServerSession::offers_auth() const {
  return limits_.has_auth && (tls_ || (!limits_.auth_needs_tls && !limits_.needs_tls));
}

std::optional<ServerStep> ServerSession::auth(std::string_view argument) {
  const auto wrong = [this](const Reply& answer) {
    refuse(answer);
    return std::nullopt;
  };
  if (!limits_.has_auth) return wrong(reply(502, {5, 5, 1}, "Command not offered"));
  if (!user_.empty()) return wrong(reply(503, {5, 5, 1}, "You are logged in already"));
  if (transaction_) return wrong(reply(503, {5, 5, 1}, "A transaction is open, RSET ends it"));
  if (!is_extended_) return wrong(reply(503, {5, 5, 1}, "Say EHLO first"));
  if (!offers_auth())
    return wrong(reply(538, {5, 7, 11}, "Encryption required for requested authentication mechanism"));
  auto arguments = parse_auth(argument);
  if (!arguments) return wrong(arguments.error());
  auth_arguments_ = std::move(*arguments);
  state_ = State::waiting;
  return server_step::BeginAuth{auth_arguments_.mechanism};
}

std::optional<ServerStep> ServerSession::continue_auth(const Line& line) {
  if (line.ending == LineEnding::lf_or_crlf && !may_end_in_lf()) {
    cancel_auth(reply(500, {5, 5, 2}, "A line ends in CR LF"));
    return std::nullopt;
  }
  return take(auth_->receive(line.text));
}

void ServerSession::apply(const server_event::AuthBegun& begun) {
  state_ = State::command;
  const auto arguments = std::exchange(auth_arguments_, {});
  if (begun.refusal) return refuse(*begun.refusal);
  auth_.emplace(arguments.mechanism, begun.users, begun.nonce);
  due_ = take(auth_->begin(arguments.initial_response));
}

void ServerSession::apply(const server_event::PasswordChecked& checked) {
  if (checked.refusal) return cancel_auth(*checked.refusal);
  due_ = take(auth_->password_checked(checked.is_right));
}

/// A step where the driver has something to do before the client hears of it.
std::optional<ServerStep> ServerSession::take(AuthTurn turn) {
  if (const auto* challenge = std::get_if<auth_turn::Say>(&turn)) {
    say(challenge->challenge);
    state_ = State::authenticating;
    return std::nullopt;
  }
  if (const auto* cancel = std::get_if<auth_turn::Cancel>(&turn)) {
    cancel_auth(cancel->reply);
    return std::nullopt;
  }
  state_ = State::waiting;
  if (auto* check = std::get_if<auth_turn::CheckPassword>(&turn))
    return server_step::CheckPassword{std::move(check->user), std::move(check->password)};
  if (const auto* proof = std::get_if<auth_turn::CheckProof>(&turn))
    return server_step::CheckProof{proof->is_right};
  auth_end_ = std::get<auth_turn::End>(std::move(turn));
  return server_step::EndAuth{
    auth_->mechanism(), auth_end_->user, auth_end_->is_right, auth_end_->acts_as_another
  };
}

void ServerSession::apply(const server_event::AuthEnded&) {
  state_ = State::command;
  auth_.reset();
  const auto end = *std::exchange(auth_end_, std::nullopt);
  if (end.is_right) {
    user_ = end.user;
    return say(reply(235, {2, 7, 0}, "Authentication successful"));
  }
  refuse(end.acts_as_another ? acting_refused() : credentials_refused());
  if (++failed_logins_ >= limits_.max_failed_logins && state_ != State::closing)
    close(reply(421, {4, 7, 0}, hostname_ + " Too many failed logins, closing"), "too many failed logins");
}

/// Over, with nothing tried: the client's mistake or its wish.
void ServerSession::cancel_auth(const Reply& answer) {
  auth_.reset();
  state_ = State::command;
  refuse(answer);
}

}  // namespace relay::smtp
