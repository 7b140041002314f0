#include "relay/smtp/server_session.hpp"

#include <algorithm>
#include <utility>

#include "relay/base/text.hpp"

namespace relay::smtp {
namespace {

/// How long a client outside the allowed networks is watched for speaking first, before it is greeted.
constexpr milliseconds kPregreetWait{100};

/// Octets that are kept allocated for input while a client says nothing; what content needed is given back. Of 10,000
/// idle connections each had kept 5 KiB.
constexpr std::size_t kKeptInput = 1U << 10U;
/// How a client begins that takes this port for one of TLS. No line end need follow: it waits for our answer.
constexpr std::string_view kTlsHandshake = "\x16\x03";

bool has_forbidden_octet(std::string_view line) {
  return std::any_of(line.begin(), line.end(), [](char c) { return !is_printable(c) && c != '\t'; });
}

/// What a client may say before TLS where that is needed: all that RFC 3207 section 4 lets pass, what helps and does
/// nothing, and what is answered by more than a refusal.
bool may_be_in_the_clear(Verb verb) {
  switch (verb) {
    case Verb::helo:
    case Verb::ehlo:
    case Verb::rset:
    case Verb::noop:
    case Verb::help:
    case Verb::quit:
    case Verb::starttls:
    case Verb::bdat:
    case Verb::xclient:
    case Verb::xforward:
    case Verb::proxy:
    case Verb::forbidden:
    case Verb::unknown: return true;
    case Verb::mail:
    case Verb::rcpt:
    case Verb::data:
    case Verb::vrfy:
    case Verb::expn:
    case Verb::etrn:
    case Verb::turn:
    case Verb::auth: break;
  }
  return false;
}

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

/// However it goes on: a chunk may follow.
bool begins_with_bdat(std::string_view line) { return starts_with_ignoring_case(trimmed(line), "BDAT"); }

}  // namespace

ServerSession::ServerSession(std::string hostname, Client client, ServerLimits limits)
    : hostname_(std::move(hostname)),
      client_(std::move(client)),
      limits_(std::move(limits)),
      tls_(client_.tls),
      line_time_(limits_.idle_timeout) {}

ServerSession::ServerSession(std::string hostname, Reply refusal, ServerLimits limits)
    : hostname_(std::move(hostname)),
      limits_(std::move(limits)),
      greeting_refusal_(std::move(refusal)),
      line_time_(limits_.idle_timeout) {}

ServerStep ServerSession::resume(const ServerEvent& event) {
  std::visit([this](const auto& happened) { apply(happened); }, event);
  return next();
}

// ---- events ----

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
  const bool is_in_line = reads_lines() && (!pending().empty() || skipped_ > 0);
  if (is_in_line) line_time_ -= received.waited;
  if (reads_lines()) fruitless_ += received.waited;
  input_.append(received.octets);
  if (!incoming_) return;
  const auto earned = milliseconds{received.octets.size() * 1000 / std::max(limits_.min_data_rate, 1U)};
  incoming_->credit = std::min(incoming_->credit - received.waited + earned, limits_.idle_timeout);
}

void ServerSession::apply(const server_event::Ended&) { hang_up(incoming_ ? "lost in content" : "lost"); }

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

void ServerSession::apply(const server_event::Verdict& verdict) {
  state_ = State::command;
  auto recipient = std::exchange(asked_recipient_, std::nullopt);
  if (verdict.refusal) {
    if (verdict.refusal->code == 421) return close(*verdict.refusal, "refused");
    if (recipient) ++transaction_->refused_recipients;
    else transaction_.reset();
    return refuse(*verdict.refusal);
  }
  if (!recipient) {
    transaction_->mending = verdict.mending;
    return say(reply(250, {2, 1, 0}, "Sender OK"));
  }
  add_recipient(std::move(*recipient));
  say(reply(250, {2, 1, 5}, "Recipient OK"));
}

void ServerSession::apply(const server_event::Stored& stored) {
  state_ = State::data;
  if (!stored.result) incoming_->refusal = reply_for(stored.result.error());
}

void ServerSession::apply(const server_event::Committed& committed) {
  end_transaction();
  if (committed.instead && !committed.instead->is_positive()) return refuse(*committed.instead);
  if (!committed.result) return refuse(reply_for(committed.result.error()));
  errors_ = 0;
  junk_ = 0;
  fruitless_ = milliseconds{0};
  if (committed.instead) return say(*committed.instead);
  say(reply(250, {2, 0, 0}, "OK queued as " + committed.result->to_text()));
}

/// Nothing was begun to be read, or its transaction is over.
void ServerSession::apply(const server_event::Discarded&) {
  state_ = incoming_ ? State::data : State::command;
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
      case State::authenticating:
        if (auto step = read_command()) return std::move(*step);
        if (!reads_lines()) break;
        if (input_.empty() && input_.capacity() > kKeptInput) std::string().swap(input_);
        if (command_time() <= milliseconds{0}) {
          time_out();
          break;
        }
        return flush_or(server_step::Read{incoming_ ? std::min(credit(), command_time()) : command_time()});
      case State::data:
        if (auto step = read_content()) return std::move(*step);
        if (state_ == State::data) return flush_or(server_step::Read{credit()});
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

/// Left until the line that is being read, or the session, has taken too long.
milliseconds ServerSession::command_time() const {
  return std::min(line_time_, kFruitlessTimes * limits_.idle_timeout - fruitless_);
}

ServerStep ServerSession::flush_or(ServerStep step) {
  if (is_deaf_) output_.clear();
  if (output_.empty()) return step;
  return server_step::Write{std::exchange(output_, {})};
}

void ServerSession::consume(std::size_t count) {
  position_ += count;
  if (position_ < input_.size()) return;
  input_.clear();
  position_ = 0;
}

// ---- commands ----

/// Executes lines until one needs the driver or no whole line is left.
std::optional<ServerStep> ServerSession::read_command() {
  while (reads_lines()) {
    if (is_stopping_ && !transaction_) {
      close(reply(421, {4, 3, 2}, hostname_ + " Service shutting down"), "stopping");
      return std::nullopt;
    }
    if (skipped_ > 0 && !skip_long_line()) return std::nullopt;
    const auto rest = pending();
    if (is_first_line_ && rest.starts_with(kTlsHandshake)) {
      close(reply(500, {5, 5, 2}, "This is SMTP, closing"), "TLS without STARTTLS");
      return std::nullopt;
    }
    const bool is_auth = state_ == State::authenticating || starts_with_ignoring_case(rest, "AUTH ");
    const auto cap = is_auth ? kMaxAuthLine : kMaxCommandLine;
    const auto end = rest.substr(0, cap).find('\n');
    if (end == std::string_view::npos) {
      if (rest.size() < cap) {
        input_.erase(0, std::exchange(position_, 0));
        return std::nullopt;
      }
      skipped_ = 1;
      if (state_ == State::command && begins_with_bdat(rest))
        close_unread_chunk(reply(500, {5, 5, 2}, "Line too long, closing"));
      else refuse_long_line(cap);
      continue;
    }
    const bool has_cr = end > 0 && rest[end - 1] == '\r';
    const std::string line(rest.substr(0, has_cr ? end - 1 : end));
    consume(end + 1);
    line_time_ = limits_.idle_timeout;
    if (auto step = execute(line, has_cr ? LineEnding::crlf : LineEnding::lf_or_crlf)) return step;
  }
  return std::nullopt;
}

void ServerSession::refuse_long_line(std::size_t cap) {
  if (cap == kMaxAuthLine) cancel_auth(reply(500, {5, 5, 6}, "Authentication exchange line is too long"));
  else refuse(reply(500, {5, 5, 2}, "Line too long"));
}

/// Drops octets up to the next line end. True when it was found.
bool ServerSession::skip_long_line() {
  const auto rest = pending();
  const auto end = rest.find('\n');
  const auto count = end == std::string_view::npos ? rest.size() : end + 1;
  skipped_ += count;
  consume(count);
  if (end != std::string_view::npos) {
    skipped_ = 0;
    line_time_ = limits_.idle_timeout;
  } else if (skipped_ > kMaxSkippedLine) {
    close(reply(421, {4, 7, 0}, hostname_ + " Line too long, closing"), "endless line");
  }
  return end != std::string_view::npos;
}

bool ServerSession::may_end_in_lf() const {
  return client_.grammar == Grammar::lenient && limits_.bare_line_endings == BareLineEndings::normalize;
}

std::optional<ServerStep> ServerSession::execute(std::string_view line, LineEnding ending) {
  if (state_ == State::authenticating) return continue_auth(line, ending);
  auto command = parse_command(line);
  const auto verb = command.verb;
  // Addresses may be UTF-8: parse_mail and parse_rcpt say what is wrong with others.
  const bool holds_address = verb == Verb::mail || verb == Verb::rcpt;
  const bool is_garbled = !holds_address && has_forbidden_octet(line);
  if (is_garbled) command = {};
  if (is_out_of_place(command.verb)) return std::nullopt;
  // A client that may pipeline has said EHLO before; any other waits for each reply, or for none.
  talks_ahead_ = talks_ahead_ || (!is_extended_ && !pending().empty());
  if (ending == LineEnding::lf_or_crlf && !may_end_in_lf()) {
    refuse_line(line, verb, "A command ends in CR LF");
    return std::nullopt;
  }
  if (is_garbled) {
    refuse_line(line, verb, "Invalid character in command");
    return std::nullopt;
  }
  return dispatch(command, ending);
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

std::optional<ServerStep> ServerSession::dispatch(const CommandView& command, LineEnding ending) {
  const bool has_argument = !command.argument.empty();
  if (limits_.needs_tls && !tls_ && !may_be_in_the_clear(command.verb)) {
    refuse_in_the_clear(command.verb);
    return std::nullopt;
  }
  switch (command.verb) {
    case Verb::helo:
    case Verb::ehlo: hello(command); break;
    case Verb::mail: return mail(command.argument);
    case Verb::rcpt: return rcpt(command.argument);
    case Verb::data: data(command.argument, ending); break;
    case Verb::rset:
      if (has_argument) {
        refuse(reply(501, {5, 5, 4}, "RSET takes no argument"));
        break;
      }
      forget_transaction();
      junk(reply(250, {2, 0, 0}, "OK"));
      break;
    case Verb::noop: junk(reply(250, {2, 0, 0}, "OK")); break;
    case Verb::help:
      junk(reply(214, {2, 0, 0}, "HELO EHLO MAIL RCPT DATA BDAT RSET NOOP VRFY HELP QUIT"));
      break;
    case Verb::vrfy:
      if (has_argument) junk(reply(252, {2, 0, 0}, "Send the message and see"));
      else refuse(reply(501, {5, 5, 4}, "VRFY takes an address"));
      break;
    case Verb::quit:
      if (has_argument) refuse(reply(501, {5, 5, 4}, "QUIT takes no argument"));
      else close(reply(221, {2, 0, 0}, hostname_ + " closing"), "quit");
      break;
    case Verb::bdat: bdat(command.argument); break;
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

void ServerSession::hello(const CommandView& command) {
  if (command.argument.empty()) return refuse(reply(501, {5, 5, 4}, "Say who you are"));
  forget_transaction();
  helo_ = printable(command.argument, mail::kMaxDomain);
  is_extended_ = command.verb == Verb::ehlo;
  // Only the client's own pipelining tells: after EHLO it has not seen that we offer it (RFC 2920 section
  // 3.1).
  talks_ahead_ = talks_ahead_ || !pending().empty();
  if (!is_extended_) return junk(Reply{250, std::nullopt, hostname_});
  junk(Reply{
    250, std::nullopt,
    hostname_ + "\nPIPELINING\nSIZE " + std::to_string(limits_.max_message_size.count) +
      "\n8BITMIME\nENHANCEDSTATUSCODES\nDSN\nSMTPUTF8\nCHUNKING\nBINARYMIME" + extensions_of_tls() +
      (offers_auth() ? "\nAUTH " + std::string(sasl::kServerMechanisms) : "")
  });
}

const char* ServerSession::extensions_of_tls() const {
  // RFC 8689 section 2: in the clear it is not offered, nor where a part of the way was.
  if (tls_) return is_tls_ours_ ? "\nREQUIRETLS" : "";
  return limits_.has_tls ? "\nSTARTTLS" : "";
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
  if (!pending().empty()) {
    is_injection_ = true;
    return close(reply(554, {5, 5, 0}, "Nothing may follow STARTTLS, closing"), "sent more behind STARTTLS");
  }
  say(reply(220, {2, 0, 0}, "Ready to start TLS"));
  state_ = State::securing;
}

Reply ServerSession::tls_first() { return reply(530, {5, 7, 0}, "Must issue a STARTTLS command first"); }

void ServerSession::refuse_in_the_clear(Verb verb) {
  const auto refusal = tls_first();
  if (verb == Verb::data) refuse_data(refusal);
  else refuse(refusal);
}

/// For who relays by address or has logged in: everybody else gets RFC 5321's grammar.
std::string_view ServerSession::unqualified_domain() const {
  const bool may_relay = client_.grammar == Grammar::lenient || !user_.empty();
  return may_relay ? std::string_view(limits_.unqualified_domain) : std::string_view();
}

std::optional<ServerStep> ServerSession::mail(std::string_view argument) {
  const auto wrong = [this](const Reply& answer) {
    refuse(answer);
    return std::nullopt;
  };
  if (helo_.empty()) return wrong(reply(503, {5, 5, 1}, "Say HELO or EHLO first"));
  if (limits_.needs_auth && user_.empty()) return wrong(reply(530, {5, 7, 0}, "Authentication required"));
  if (transaction_) return wrong(reply(503, {5, 5, 1}, "A transaction is open, RSET ends it"));
  auto arguments = parse_mail(argument, client_.grammar, unqualified_domain());
  if (!arguments) return wrong(arguments.error());
  if (arguments->declared_size.value_or(0) > limits_.max_message_size.count) {
    return wrong(too_large());
  }
  if (arguments->requires_tls && !is_tls_ours_)
    return wrong(reply(555, {5, 5, 4}, "REQUIRETLS is offered over TLS alone"));
  if (arguments->has_auth && !limits_.has_auth)
    return wrong(reply(555, {5, 5, 4}, "Parameter not supported"));
  transaction_ = Transaction{};
  transaction_->envelope.reverse_path = arguments->reverse_path;
  transaction_->envelope.body = arguments->body;
  transaction_->is_binary = arguments->is_binary;
  transaction_->charset = arguments->charset;
  transaction_->envelope.requires_tls = arguments->requires_tls;
  transaction_->envelope.dsn = {arguments->ret, std::move(arguments->envelope_id), {}};
  transaction_->envelope.origin = {client_.address.to_text(), helo_, is_extended_, tls_, user_,
                                   client_.listener};
  state_ = State::waiting;
  return server_step::AskSender{std::move(arguments->reverse_path)};
}

std::optional<ServerStep> ServerSession::rcpt(std::string_view argument) {
  if (!transaction_) {
    refuse(reply(503, {5, 5, 1}, "MAIL comes first"));
    return std::nullopt;
  }
  if (incoming_) {
    refuse(reply(503, {5, 5, 1}, "The content has begun, RSET ends it"));
    return std::nullopt;
  }
  if (transaction_->envelope.recipients.size() >= limits_.max_recipients) {
    say(reply(452, {4, 5, 3}, "Too many recipients, send the rest in another message"));
    return std::nullopt;
  }
  auto recipient = parse_rcpt(argument, client_.grammar, transaction_->charset, unqualified_domain());
  if (!recipient) {
    ++transaction_->refused_recipients;
    refuse(recipient.error());
    return std::nullopt;
  }
  state_ = State::waiting;
  asked_recipient_ = std::move(*recipient);
  return server_step::AskRecipient{asked_recipient_->recipient};
}

void ServerSession::data(std::string_view argument, LineEnding ending) {
  if (!argument.empty()) return refuse_data(reply(501, {5, 5, 4}, "DATA takes no argument"));
  if (!transaction_) return refuse_data(reply(503, {5, 5, 1}, "MAIL and RCPT come first"));
  if (transaction_->envelope.recipients.empty()) return refuse_data(no_recipients());
  if (incoming_ || transaction_->is_binary) return refuse_data_for_bdat();
  if (client_.grammar == Grammar::strict && !pending().empty()) {
    return close(out_of_step(), "sent content before 354");
  }
  say(Reply{354, std::nullopt, "End data with <CR><LF>.<CR><LF>"});
  begin_content(ending);
  state_ = State::data;
}

Reply ServerSession::no_recipients() const {
  return transaction_->refused_recipients > 0 ? reply(554, {5, 5, 1}, "No valid recipients")
                                              : reply(503, {5, 5, 1}, "RCPT comes first");
}

Reply ServerSession::too_large() const {
  return reply(552, {5, 3, 4}, "Message size exceeds " + to_text(limits_.max_message_size));
}

/// Octets of content that is refused, before the connection is closed instead.
std::uint64_t ServerSession::most_swallowed() const {
  return 2 * limits_.max_message_size.count + kMaxSkippedLine;
}

void ServerSession::begin_content(LineEnding ending) {
  incoming_.emplace(Incoming{
    .decoder = DataDecoder(ending),
    .header = mail::HeaderScan(hostname_, {}, limits_.bulk_headers.get()),
    .decoded = {},
    .chunk = {},
    .size = 0,
    .taken = 0,
    .is_begun = false,
    .credit = limits_.idle_timeout,
    .refusal = std::nullopt,
    .chunks = std::nullopt
  });
  if (transaction_ && !transaction_->mending.is_nothing())
    incoming_->mended.emplace(Mended{{}, mail::Mender(transaction_->mending), {}});
}

/// What is left of the time for content.
milliseconds ServerSession::credit() const { return std::max(incoming_->credit, milliseconds{1}); }

Reply ServerSession::out_of_step() const {
  return client_.explanation.value_or(reply(554, {5, 5, 0}, "SMTP protocol synchronization"));
}

/// What follows a refused DATA may be its content: then there is nothing to do but close.
void ServerSession::refuse_data(Reply refusal) {
  if (!pending().empty() || talks_ahead_) return close(refusal, "sent content behind a refused DATA");
  content_may_follow_ = true;
  refuse(refusal);
}

/// A BDAT that is not understood: its chunk follows all the same.
void ServerSession::close_unread_chunk(const Reply& refusal) { close(refusal, "BDAT of unknown size"); }

void ServerSession::junk(Reply answer) {
  if (++junk_ > limits_.max_junk) ++errors_;
  say(answer);
  if (errors_ > limits_.max_errors)
    close(reply(421, {4, 7, 0}, hostname_ + " Too many errors"), "too many errors");
}

// ---- content ----

/// By the mender, where there is one, to the scan: this sees the header as it will be sent on.
void ServerSession::take_decoded() {
  auto& in = *incoming_;
  if (!in.mended) return in.header.feed(in.decoded, in.chunk);
  auto& [edit, mender, octets] = *in.mended;
  octets.clear();
  edit.feed(in.decoded, mender, octets);
  in.header.feed(octets, in.chunk);
}

void ServerSession::finish_header() {
  auto& in = *incoming_;
  if (in.mended) {
    auto& [edit, mender, octets] = *in.mended;
    octets.clear();
    edit.finish(mender, octets);
    in.header.feed(octets, in.chunk);
  }
  in.header.finish(in.chunk);
}

/// Decodes what is there. A step when a chunk is full or the end of data was read.
std::optional<ServerStep> ServerSession::read_content() {
  if (incoming_->chunks) return read_chunk();
  while (!incoming_->decoder.is_done() && !pending().empty()) {
    const auto slice = pending().substr(0, kSlice);
    incoming_->decoded.clear();
    const auto taken = incoming_->decoder.feed(slice, incoming_->decoded);
    incoming_->taken += taken;
    take_decoded();
    consume(taken);
    if (auto step = check_content()) return step;
    if (state_ != State::data) return std::nullopt;
  }
  if (incoming_->decoder.is_done()) return end_content();
  return std::nullopt;
}

std::optional<ServerStep> ServerSession::check_content() {
  auto& in = *incoming_;
  if (in.decoder.met_bare_line_ending() && limits_.bare_line_endings == BareLineEndings::reject) {
    // What follows a bad line end cannot be told from commands: nothing of it is read.
    close(reply(550, {5, 5, 2}, "Lines end in CR LF, bare CR or LF refused, closing"), "bare line ending");
    return std::nullopt;
  }
  return watch_limits(in.decoder.longest_line());
}

/// Watches the limits and hands on what is due.
std::optional<ServerStep> ServerSession::watch_limits(std::uint64_t longest_line) {
  auto& in = *incoming_;
  if (!in.refusal) {
    const auto ours = in.mended ? in.mended->mender.added() : 0;
    if (in.size + in.chunk.size() > limits_.max_message_size.count + ours) {
      in.refusal = too_large();
    } else if (longest_line > kMaxContentLine) {
      in.refusal = reply(554, {5, 6, 0}, "Line longer than 1 MiB");
    } else if (in.header.is_too_large()) {
      in.refusal = reply(552, {5, 3, 4}, "Header too large");
    }
  }
  if (in.refusal) {
    in.chunk.clear();
    if (in.taken > most_swallowed()) {
      close(*in.refusal, "went on and on");
      return std::nullopt;
    }
    if (std::exchange(in.is_begun, false)) {
      state_ = State::waiting;
      return server_step::Discard{};
    }
    return std::nullopt;
  }
  if (in.chunk.size() < kChunkSize) return std::nullopt;
  in.size += in.chunk.size();
  in.is_begun = true;
  state_ = State::waiting;
  return server_step::Content{std::exchange(in.chunk, {})};
}

std::optional<ServerStep> ServerSession::end_content() {
  auto& in = *incoming_;
  finish_header();
  if (!in.refusal && in.header.is_looping())
    in.refusal = reply(554, {5, 4, 6}, "Too many hops, this message loops");
  if (in.refusal) {
    if (std::exchange(in.is_begun, false)) {
      state_ = State::waiting;
      return server_step::Discard{};
    }
    const auto refusal = *in.refusal;
    end_transaction();
    refuse(refusal);
    return std::nullopt;
  }
  in.size += in.chunk.size();
  transaction_->envelope.size = in.size;
  transaction_->envelope.smtputf8 =
    transaction_->charset == mail::Charset::utf8 &&
    (in.header.has_8bit_header() || names_beyond_ascii(transaction_->envelope));
  transaction_->envelope.is_bulk = in.header.has_watched_field();
  transaction_->envelope.message_id = in.header.message_id();
  state_ = State::waiting;
  return server_step::Commit{transaction_->envelope, std::move(in.chunk)};
}

// ---- ends ----

void ServerSession::say(const Reply& answer) {
  if (answer.code >= 400) ++refusals_;
  output_ += to_wire(answer);
}

/// Counts as an error of the client; one too many ends the session.
void ServerSession::refuse(const Reply& answer) {
  say(answer);
  if (++errors_ > limits_.max_errors)
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

/// A recipient counts once; named again, it may say what it wants to hear of if it did not before.
void ServerSession::add_recipient(RcptArguments accepted) {
  auto& recipients = transaction_->envelope.recipients;
  const auto known = std::find(recipients.begin(), recipients.end(), accepted.recipient);
  const auto index = static_cast<std::size_t>(known - recipients.begin());
  if (known == recipients.end()) recipients.push_back(std::move(accepted.recipient));
  auto& wanted = transaction_->envelope.dsn.recipients;
  if (wanted.empty() && accepted.dsn.is_unset()) return;
  wanted.resize(recipients.size());
  if (wanted[index].is_unset()) wanted[index] = std::move(accepted.dsn);
}

/// Ends it in the middle: the sink may have some of its content.
void ServerSession::forget_transaction() {
  const bool is_begun = incoming_ && incoming_->is_begun;
  end_transaction();
  if (is_begun && state_ != State::closing) state_ = State::dropping;
}

/// Forgets sender, recipients and content (RFC 5321 section 4.1.1.5); the client may begin anew.
void ServerSession::end_transaction() {
  transaction_.reset();
  incoming_.reset();
  if (state_ != State::closing) state_ = State::command;
}

}  // namespace relay::smtp
