#include "relay/smtp/server_session.hpp"

#include <algorithm>
#include <utility>

#include "relay/base/text.hpp"

namespace relay::smtp {
namespace {

/// How long a client outside the allowed networks is watched for speaking first, before it is greeted.
constexpr milliseconds kPregreetWait{100};

/// How a client begins that takes this port for one of TLS. No line end need follow: it waits for our answer.
constexpr std::string_view kTlsHandshake = "\x16\x03";

bool has_forbidden_octet(std::string_view line) {
  return std::any_of(line.begin(), line.end(), [](char c) { return !is_printable(c) && c != '\t'; });
}

/// However it goes on: a chunk may follow.
bool begins_with_bdat(std::string_view line) { return starts_with_ignoring_case(trimmed(line), "BDAT"); }

}  // namespace

ServerSession::ServerSession(std::string hostname, Client client, ServerLimits limits)
    : hostname_(std::move(hostname)),
      client_(std::move(client)),
      limits_(std::move(limits)),
      patience_(limits_),
      tls_(client_.tls) {}

ServerSession::ServerSession(std::string hostname, Reply refusal, ServerLimits limits)
    : hostname_(std::move(hostname)),
      limits_(std::move(limits)),
      greeting_refusal_(std::move(refusal)),
      patience_(limits_) {}

ServerStep ServerSession::resume(const ServerEvent& event) {
  std::visit([this](const auto& happened) { apply(happened); }, event);
  return next();
}

// ---- events; those that answer a step of AUTH, STARTTLS or a transaction stand with these ----

void ServerSession::apply(const server_event::Opened&) {
  if (!limits_.tls_first) return greet();
  is_greeting_due_ = true;
  state_ = State::securing;
}

void ServerSession::greet() {
  if (greeting_refusal_) return close(*greeting_refusal_, "refused");
  state_ = State::pregreet;
  if (client_.grammar == Grammar::strict) return;  // watched first: see next()
  say(Reply{220, std::nullopt, hostname_ + " ESMTP"});
  state_ = State::command;
}

void ServerSession::apply(const server_event::Received& received) {
  if (state_ == State::pregreet) return close(out_of_step(), server_step::kSpokeFirst);
  if (reads_lines()) patience_.wait(received.waited, input_.is_within_line());
  input_.append(received.octets);
  if (content_) content_->wait(received.waited, received.octets.size(), limits_);
}

void ServerSession::apply(const server_event::Ended&) { hang_up(content_ ? "lost in content" : "lost"); }

void ServerSession::apply(const server_event::TimedOut&) {
  if (state_ == State::pregreet) {
    say(Reply{220, std::nullopt, hostname_ + " ESMTP"});
    state_ = State::command;
    return;
  }
  time_out();
}

void ServerSession::time_out() {
  close(reply(421, {4, 4, 2}, hostname_ + " Timeout exceeded, closing"), "timed out");
}

/// Whatever was under way is over; what was said by then is still sent.
void ServerSession::apply(const server_event::Failed&) {
  due_.reset();
  close(reply(421, {4, 3, 0}, hostname_ + " Internal error, try again later"), "failed");
}

void ServerSession::apply(const server_event::Stopping&) { is_stopping_ = true; }

// ---- steps ----

ServerStep ServerSession::next() {
  if (auto step = std::exchange(due_, std::nullopt)) return std::move(*step);
  while (true) {
    switch (state_) {
      case State::pregreet: return server_step::Read{kPregreetWait};
      case State::closing: return flush_or(server_step::Close{close_reason_, is_injection_});
      case State::waiting: return server_step::Close{"the driver answered out of turn"};
      case State::command:
      case State::authenticating: {
        if (auto step = read_command()) return std::move(*step);
        if (!reads_lines()) break;
        input_.shrink();
        const auto left = patience_.time_left();
        if (left <= milliseconds{0}) {
          time_out();
          break;
        }
        return flush_or(server_step::Read{content_ ? std::min(content_->time_left(), left) : left});
      }
      case State::data:
        if (auto step = read_content()) return std::move(*step);
        if (state_ == State::data) return flush_or(server_step::Read{content_->time_left()});
        break;
      case State::dropping: state_ = State::waiting; return server_step::Discard{};
      case State::securing:
        if (is_deaf_) {
          hang_up("lost");
          break;
        }
        if (output_.empty()) state_ = State::waiting;
        return flush_or(server_step::StartTls{std::min(limits_.idle_timeout, kHandshakeTimeout)});
    }
  }
}

ServerStep ServerSession::flush_or(ServerStep step) {
  if (is_deaf_) output_.clear();
  if (output_.empty()) return step;
  return server_step::Write{std::exchange(output_, {})};
}

// ---- lines ----

/// Executes lines until one needs the driver or no whole line is left.
std::optional<ServerStep> ServerSession::read_command() {
  while (reads_lines()) {
    if (is_stopping_ && !transaction_) {
      close(reply(421, {4, 3, 2}, hostname_ + " Service shutting down"), "stopping");
      return std::nullopt;
    }
    if (input_.is_skipping() && !skip_long_line()) return std::nullopt;
    const auto rest = input_.pending();
    if (is_first_line_ && rest.starts_with(kTlsHandshake)) {
      close(reply(500, {5, 5, 2}, "This is SMTP, closing"), "TLS without STARTTLS");
      return std::nullopt;
    }
    const bool is_auth = state_ == State::authenticating || starts_with_ignoring_case(rest, "AUTH ");
    const auto cap = is_auth ? kMaxAuthLine : kMaxCommandLine;
    const auto line = input_.take_line(cap);
    if (!line) {
      if (!input_.is_longer_than(cap)) return std::nullopt;
      begin_long_line(cap);
      continue;
    }
    patience_.end_line();
    if (auto step = execute(*line)) return step;
  }
  return std::nullopt;
}

/// It is answered at once, and then skipped.
void ServerSession::begin_long_line(std::size_t cap) {
  input_.begin_skipping();
  if (state_ == State::command && begins_with_bdat(input_.pending()))
    return close_unread_chunk(reply(500, {5, 5, 2}, "Line too long, closing"));
  if (cap == kMaxAuthLine) cancel_auth(reply(500, {5, 5, 6}, "Authentication exchange line is too long"));
  else refuse(reply(500, {5, 5, 2}, "Line too long"));
}

/// True when its end was found.
bool ServerSession::skip_long_line() {
  if (input_.skip_line()) {
    patience_.end_line();
    return true;
  }
  if (input_.is_endless())
    close(reply(421, {4, 7, 0}, hostname_ + " Line too long, closing"), "endless line");
  return false;
}

bool ServerSession::may_end_in_lf() const {
  return client_.grammar == Grammar::lenient && limits_.bare_line_endings == BareLineEndings::normalize;
}

std::optional<ServerStep> ServerSession::execute(const Line& line) {
  if (state_ == State::authenticating) return continue_auth(line);
  auto command = parse_command(line.text);
  const auto verb = command.verb;
  // Addresses may be UTF-8: parse_mail and parse_rcpt say what is wrong with others.
  const bool holds_address = verb == Verb::mail || verb == Verb::rcpt;
  const bool is_garbled = !holds_address && has_forbidden_octet(line.text);
  if (is_garbled) command = {};
  if (is_out_of_place(command.verb)) return std::nullopt;
  // A client that may pipeline has said EHLO before; any other waits for each reply, or for none.
  talks_ahead_ = talks_ahead_ || (!is_extended_ && !input_.is_empty());
  if (line.ending == LineEnding::lf_or_crlf && !may_end_in_lf()) {
    refuse_line(line.text, verb, "A command ends in CR LF");
    return std::nullopt;
  }
  if (is_garbled) {
    refuse_line(line.text, verb, "Invalid character in command");
    return std::nullopt;
  }
  return dispatch(command, line.ending);
}

/// A line that is not executed: behind BDAT and DATA what it announced follows all the same.
void ServerSession::refuse_line(std::string_view line, Verb verb, const std::string& why) {
  if (begins_with_bdat(line)) return close_unread_chunk(reply(500, {5, 5, 2}, why + ", closing"));
  const auto refusal = reply(500, {5, 5, 2}, why);
  if (verb == Verb::data) refuse_data(refusal);
  else refuse(refusal);
}

/// Closes the connection when this line shows that the client does not speak SMTP with us, or sends content
/// that nobody waits for. Content must never run as commands.
bool ServerSession::is_out_of_place(Verb verb) {
  const bool is_first = std::exchange(is_first_line_, false);
  const bool is_after_data = std::exchange(content_may_follow_, false);
  const bool is_no_command = verb == Verb::unknown || verb == Verb::forbidden;
  if (verb != Verb::forbidden && !(is_no_command && (is_first || is_after_data))) return false;
  close(reply(500, {5, 5, 2}, "This is SMTP, closing"), "not an SMTP command");
  return true;
}

// ---- commands ----

std::optional<ServerStep> ServerSession::dispatch(const CommandView& command, LineEnding ending) {
  if (is_in_the_clear() && !may_be_in_the_clear(command.verb)) {
    refuse_in_the_clear(command.verb);
    return std::nullopt;
  }
  if (const auto refusal = refuse_argument(command)) {
    refuse(*refusal);
    return std::nullopt;
  }
  switch (command.verb) {
    case Verb::helo:
    case Verb::ehlo: hello(command); break;
    case Verb::mail: return mail(command.argument);
    case Verb::rcpt: return rcpt(command.argument);
    case Verb::data: data(command.argument, ending); break;
    case Verb::bdat: bdat(command.argument); break;
    case Verb::rset:
      forget_transaction();
      junk(reply(250, {2, 0, 0}, "OK"));
      break;
    case Verb::noop: junk(reply(250, {2, 0, 0}, "OK")); break;
    case Verb::help:
      junk(reply(214, {2, 0, 0}, "HELO EHLO MAIL RCPT DATA BDAT RSET NOOP VRFY HELP QUIT"));
      break;
    case Verb::vrfy: junk(reply(252, {2, 0, 0}, "Send the message and see")); break;
    case Verb::quit: close(reply(221, {2, 0, 0}, hostname_ + " closing"), "quit"); break;
    case Verb::xclient:
    case Verb::xforward:
    case Verb::proxy:
      close(reply(550, {5, 7, 1}, "Not for this client, closing"), "claimed another address");
      break;
    case Verb::expn:
    case Verb::etrn:
    case Verb::turn: refuse(reply(502, {5, 5, 1}, "Command not offered")); break;
    case Verb::auth: return auth(command.argument);
    case Verb::starttls: start_tls(command.argument); break;
    case Verb::forbidden:
    case Verb::unknown: refuse(reply(500, {5, 5, 1}, "Command not recognized")); break;
  }
  return std::nullopt;
}

// ---- answers ----

void ServerSession::say(const Reply& answer) {
  if (answer.code >= 400) ++refusals_;
  output_ += to_wire(answer);
}

/// Counts as an error of the client; one too many ends the session.
void ServerSession::refuse(const Reply& answer) {
  patience_.note_error();
  say(answer);
  close_if_too_many_errors();
}

/// The answer to a command that does nothing.
void ServerSession::junk(const Reply& answer) {
  patience_.note_junk();
  say(answer);
  close_if_too_many_errors();
}

void ServerSession::close_if_too_many_errors() {
  if (patience_.has_too_many_errors())
    close(reply(421, {4, 7, 0}, hostname_ + " Too many errors"), "too many errors");
}

void ServerSession::close(const Reply& answer, std::string_view why) {
  say(answer);
  hang_up(why);
}

void ServerSession::hang_up(std::string_view why) {
  close_reason_ = why;
  state_ = State::closing;
}

}  // namespace relay::smtp
