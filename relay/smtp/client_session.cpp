#include "relay/smtp/client_session.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "relay/base/secrets.hpp"
#include "relay/base/text.hpp"

namespace relay::smtp {
namespace {

using std::chrono::seconds;

struct StageFacts {
  Stage stage;
  std::string_view doing;
};
constexpr std::array kStages{
  StageFacts{Stage::connect, "connecting"},
  StageFacts{Stage::banner, "awaiting the banner"},
  StageFacts{Stage::ehlo, "sending EHLO"},
  StageFacts{Stage::helo, "sending HELO"},
  StageFacts{Stage::starttls, "starting TLS"},
  StageFacts{Stage::auth, "authenticating"},
  StageFacts{Stage::mail, "sending MAIL FROM"},
  StageFacts{Stage::rcpt, "sending RCPT TO"},
  StageFacts{Stage::data, "sending DATA"},
  StageFacts{Stage::content, "sending content"},
  StageFacts{Stage::data_end, "sending end of data -- message may be sent more than once"},
  StageFacts{Stage::rset, "sending RSET"},
  StageFacts{Stage::quit, "sending QUIT"},
};

/// RFC 5321 names no time for these two; nobody waits for them with a message in hand.
constexpr milliseconds kResetTimeout = seconds{20};
constexpr milliseconds kQuitTimeout = seconds{2};

/// Octets of an AUTH command with its initial response (RFC 4954 section 4, RFC 5321 section 4.5.3.1.4), less CRLF. A
/// longer response waits for the empty challenge.
constexpr std::size_t kMaxAuthCommand = 510;

/// Replies that speak of us, not of the message, whatever they answer.
bool judges_credentials(const Reply& reply) {
  return reply.code == 530 || reply.code == 534 || reply.code == 535 || reply.code == 538;
}

/// A next hop that is told several lines instead of one would be at the mercy of whoever wrote the address.
bool is_one_line(std::string_view line) {
  return line.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos;
}

Reply own_reply(std::uint16_t code, EnhancedStatus status, std::string_view text) {
  return Reply{code, status, printable(text, kMaxReplyText)};
}

std::string summary(const Reply& reply) { return "answered " + reply.to_line(); }

/// What no server says to this command (RFC 5321 section 4.3.2): it is the reply to another one.
bool is_out_of_step(Stage stage, const Reply& reply) {
  if (stage == Stage::data) return reply.is_positive() || (reply.is_intermediate() && reply.code != 354);
  return reply.is_intermediate();
}

}  // namespace

std::string_view doing(Stage stage) {
  const auto found =
    std::find_if(kStages.begin(), kStages.end(), [&](const auto& facts) { return facts.stage == stage; });
  return found->doing;
}

ClientSession::ClientSession(HopPolicy policy) : policy_(std::move(policy)) {}

ClientStep ClientSession::resume(const ClientEvent& event) {
  return std::visit([this](const auto& happened) { return on(happened); }, event);
}

// ---- the connection: banner, EHLO, TLS, AUTH ----

ClientStep ClientSession::on(const client_event::Opened& opened) {
  tls_is_active_ = opened.tls_is_active;
  tls_is_verified_ = opened.tls_is_verified;
  return read_more();
}

ClientStep ClientSession::on(const client_event::Received& received) {
  parser_.feed(received.octets);
  if (std::exchange(is_listening_, false)) return stage_ == Stage::mail ? begin_transfer() : early_reply();
  is_within_reply_ = true;
  return read_more();
}

ClientStep ClientSession::on(const client_event::Written&) {
  if (std::exchange(is_ending_, false)) stage_ = Stage::data_end;
  return read_more();
}

/// The next reply when it is there already, or more octets.
ClientStep ClientSession::read_more() {
  if (auto reply = next_reply()) {
    is_within_reply_ = false;
    return on_reply(*reply);
  }
  if (!parser_.is_garbage()) return client_step::Read{timeout(), is_within_reply_};
  return connection_failed(
    {Errc::protocol_error, Fate::transient, "answered garbage: " + without_secrets(parser_.leftover())}
  );
}

/// What a peer says goes to the log, and some quote the command that they did not like.
std::string ClientSession::without_secrets(std::string text) const {
  const bool tells = quotes_any_secret(text, secrets_);
  return tells ? "(not shown: it quotes the credentials)" : std::move(text);
}

std::optional<Reply> ClientSession::next_reply() {
  auto reply = parser_.next();
  // A challenge is for the mechanism, whole, and goes into no log.
  const bool is_challenge = reply && stage_ == Stage::auth && reply->code == 334;
  if (reply && !is_challenge) reply->text = without_secrets(std::move(reply->text));
  return reply;
}

ClientStep ClientSession::on_reply(const Reply& reply) {
  switch (stage_) {
    case Stage::connect:
    case Stage::banner: return on_banner(reply);
    case Stage::ehlo:
    case Stage::helo: return on_ehlo(reply);
    case Stage::starttls: return on_starttls(reply);
    case Stage::auth: return on_auth(reply);
    case Stage::mail:
    case Stage::rcpt:
    case Stage::data: return on_transfer_reply(reply);
    case Stage::content:
    case Stage::data_end: return on_end_of_data(reply);
    case Stage::rset:
      if (!reply.is_positive()) return hop_failed(Errc::protocol_error, summary(reply), reply);
      needs_reset_ = false;
      return idle();
    case Stage::quit: return client_step::Close{std::nullopt};
  }
  return client_step::Close{std::nullopt};
}

ClientStep ClientSession::on_banner(const Reply& reply) {
  if (!reply.is_positive()) return hop_failed(Errc::unavailable, summary(reply), reply);
  return say(Stage::ehlo, "EHLO " + policy_.helo_name);
}

ClientStep ClientSession::on_ehlo(const Reply& reply) {
  extensions_ = {};
  if (reply.is_positive() && stage_ == Stage::ehlo) {
    // The first line greets; each of the others names an extension (RFC 5321 section 4.1.1.1).
    const auto extensions =
      std::string_view(reply.text).substr(std::min(reply.text.find('\n'), reply.text.size()));
    for (const auto line : split(extensions, '\n')) {
      const auto words = split(line, ' ');
      const auto keyword = upper(words.front());
      if (keyword == "PIPELINING") extensions_.pipelining = true;
      else if (keyword == "8BITMIME") extensions_.eight_bit_mime = true;
      else if (keyword == "SIZE") extensions_.size = true;
      else if (keyword == "STARTTLS") extensions_.starttls = true;
      else if (keyword == "DSN") extensions_.dsn = true;
      else if (keyword == "SMTPUTF8") extensions_.smtputf8 = true;
      else if (keyword == "REQUIRETLS") extensions_.requiretls = true;
      else if (keyword == "AUTH") extensions_.auth.assign(words.begin() + 1, words.end());
    }
    return after_greeting();
  }
  if (reply.is_positive()) return after_greeting();
  const bool may_fall_back = stage_ == Stage::ehlo && reply.is_permanent() && !policy_.needs_tls();
  if (may_fall_back) return say(Stage::helo, "HELO " + policy_.helo_name);
  return hop_failed(Errc::unavailable, summary(reply), reply);
}

ClientStep ClientSession::after_greeting() {
  const bool may_be_plain = !policy_.needs_tls();
  if (!tls_is_active_ && !(policy_.tls == TlsMode::none && may_be_plain)) {
    if (extensions_.starttls) return say(Stage::starttls, "STARTTLS");
    if (!may_be_plain)
      return hop_failed(Errc::tls_failed, "STARTTLS is not offered, and nothing is sent without it");
  }
  return authenticate();
}

ClientStep ClientSession::on_starttls(const Reply& reply) {
  if (reply.code == 421) return hop_failed(Errc::unavailable, summary(reply), reply);
  if (reply.code != 220) {
    if (!policy_.needs_tls()) return authenticate();
    return hop_failed(Errc::tls_failed, summary(reply), reply);
  }
  // Octets behind the 220 came in the clear: whoever put them there wants them read as if they came through
  // TLS.
  if (parser_.has_leftover())
    return hop_failed(Errc::tls_failed, "sent plain text behind its answer to STARTTLS");
  return client_step::StartTls{policy_.needs_verified_tls(), policy_.timeouts.command};
}

ClientStep ClientSession::on(const client_event::TlsReady& ready) {
  tls_is_active_ = true;
  tls_is_verified_ = ready.is_verified;
  return say(Stage::ehlo, "EHLO " + policy_.helo_name);  // RFC 3207 section 4.2: all from before is forgotten
}

ClientStep ClientSession::authenticate() {
  if (!policy_.credentials) return idle();
  if (!tls_is_verified_)
    return hop_failed(Errc::tls_failed, "credentials need verified TLS, and this is not");
  auto chosen = sasl::choose(extensions_.auth, *policy_.credentials, policy_.nonce);
  if (!chosen) return hop_failed(chosen.error().code, std::move(chosen.error().context));
  mechanism_ = std::move(*chosen);
  const auto initial = base64(mechanism_->initial_response());
  secrets_ = {policy_.credentials->password, initial};
  auto line = "AUTH " + std::string(sasl::to_text(mechanism_->name()));
  const bool fits = line.size() + 1 + initial.size() <= kMaxAuthCommand;
  if (!initial.empty() && fits) line += " " + initial;
  return say(Stage::auth, std::move(line));
}

ClientStep ClientSession::on_auth(const Reply& reply) {
  if (reply.is_positive()) {
    // A mechanism's last word (RFC 5802: the server's signature) comes as a challenge of its own, or at the end of
    // the 235.
    const auto data = parse_base64(std::string_view(reply.text).substr(reply.text.find_last_of(" \n") + 1));
    const auto concluded = mechanism_->conclude(data.value_or(""));
    if (!concluded) return hop_failed(concluded.error().code, concluded.error().context);
    return idle();
  }
  if (reply.code == 334) {
    const auto challenge = parse_base64(reply.text);
    auto response = mechanism_->respond(challenge.value_or(""));
    if (!response) return hop_failed(response.error().code, response.error().context);
    secrets_.push_back(base64(*response));
    return say(Stage::auth, secrets_.back());
  }
  return hop_failed(Errc::not_permitted, summary(reply), reply);
}

/// Ready for a message, with nothing unread: a reply to no command would be taken for that of the next one.
ClientStep ClientSession::idle() {
  if (parser_.has_leftover())
    return hop_failed(Errc::protocol_error, "answered twice: " + without_secrets(parser_.leftover()));
  if (needs_reset_) return say(Stage::rset, "RSET");
  return client_step::AwaitMessage{};
}

ClientStep ClientSession::on(const client_event::Quit&) { return say(Stage::quit, "QUIT"); }

ClientStep ClientSession::say(Stage stage, std::string line) {
  stage_ = stage;
  if (!is_one_line(line)) return hop_failed(Errc::invalid_argument, "a command of ours holds a line break");
  return client_step::Write{std::move(line) + "\r\n", timeout()};
}

milliseconds ClientSession::timeout() const {
  switch (stage_) {
    case Stage::connect:
    case Stage::banner: return policy_.timeouts.banner;
    case Stage::ehlo:
    case Stage::helo:
    case Stage::starttls:
    case Stage::auth:
    case Stage::mail:
    case Stage::rcpt: return policy_.timeouts.command;
    case Stage::data: return policy_.timeouts.data_init;
    case Stage::content: return policy_.timeouts.data_block;
    case Stage::data_end: return policy_.timeouts.data_end;
    case Stage::rset: return std::min(policy_.timeouts.command, kResetTimeout);
    case Stage::quit: return std::min(policy_.timeouts.command, kQuitTimeout);
  }
  return policy_.timeouts.command;
}

// ---- a message: MAIL, RCPT, DATA ----

ClientStep ClientSession::on(const client_event::Message& next) {
  transfer_ = Transfer{};
  transfer_->message = next.message;
  transfer_->outcome.recipients.resize(next.message.recipients.size());
  transfer_->is_accepted.resize(next.message.recipients.size());
  ++transfers_;
  stage_ = Stage::mail;
  if (next.message.body == mail::Body::eight_bit_mime && !extensions_.eight_bit_mime) {
    return refuse_message(own_reply(554, {5, 6, 3}, "The next hop does not take 8-bit content (8BITMIME)"));
  }
  if (next.message.smtputf8 && !extensions_.smtputf8) {
    return refuse_message(
      own_reply(553, {5, 6, 7}, "The next hop does not take addresses and headers in UTF-8 (SMTPUTF8)")
    );
  }
  if (next.message.requires_tls) {
    if (const auto obstacle = tls_obstacle()) return refuse_at_this_host(*obstacle);
  }
  if (transfers_ == 1) return send_group();
  is_listening_ = true;
  return client_step::Listen{};
}

/// What a kept connection said meanwhile answers nothing: the next replies would each be taken for the one before.
ClientStep ClientSession::begin_transfer() {
  if (!parser_.has_leftover()) return send_group();
  const auto reply = next_reply();
  if (reply && reply->code == 421) return hop_failed(Errc::unavailable, summary(*reply), reply);
  return hop_failed(Errc::protocol_error, "answered what was not asked");
}

/// The message can't go to this hop as it is, and nothing of it is changed.
ClientStep ClientSession::refuse_message(const Reply& why) {
  judge_undecided(Disposition::failed, Stage::mail, why);
  return finish_transfer();
}

/// What keeps a message from this host that demands TLS all the way.
std::optional<Reply> ClientSession::tls_obstacle() const {
  if (!tls_is_verified_)
    return own_reply(
      550, {5, 7, 10}, "The message demands TLS (REQUIRETLS), and the next hop has none that is verified"
    );
  if (!policy_.is_proven) {
    return own_reply(
      550, {5, 7, 10},
      "The message demands TLS (REQUIRETLS), and neither DNSSEC nor MTA-STS proves that the next hop is the "
      "right one"
    );
  }
  if (extensions_.requiretls) return std::nullopt;
  return own_reply(
    550, {5, 7, 30}, "The message demands TLS all the way, and the next hop does not offer REQUIRETLS"
  );
}

/// Nothing keeps it from another host of the same destination.
ClientStep ClientSession::refuse_at_this_host(const Reply& why) {
  judge_undecided(Disposition::failed, Stage::mail, why);
  for (auto& recipient : transfer_->outcome.recipients) recipient.is_of_this_host = true;
  return finish_transfer();
}

Stage ClientSession::stage_of(std::size_t command) const {
  if (command == 0) return Stage::mail;
  return command + 1 < commands() ? Stage::rcpt : Stage::data;
}

std::string ClientSession::line_of(std::size_t command) const {
  switch (stage_of(command)) {
    case Stage::mail: return mail_command();
    case Stage::rcpt: return rcpt_command(command - 1);
    default: return "DATA";
  }
}

std::string ClientSession::mail_command() const {
  const auto& message = transfer_->message;
  std::string line = "MAIL FROM:<" + message.reverse_path.to_text() + ">";
  if (extensions_.size) line += " SIZE=" + std::to_string(message.size);
  if (message.body == mail::Body::eight_bit_mime) line += " BODY=8BITMIME";
  if (message.smtputf8) line += " SMTPUTF8";
  if (message.requires_tls) line += " REQUIRETLS";
  if (!extensions_.dsn) return line;
  if (message.dsn.ret != mail::Ret::unset) line += " RET=" + std::string(mail::to_text(message.dsn.ret));
  if (!message.dsn.envelope_id.empty()) line += " ENVID=" + message.dsn.envelope_id;
  return line;
}

/// RFC 3461 section 5.2.1: what came is passed on as it came, and nothing is added.
std::string ClientSession::rcpt_command(std::size_t recipient) const {
  const auto& message = transfer_->message;
  std::string line = "RCPT TO:<" + message.recipients[recipient].to_text() + ">";
  const auto& wanted = message.dsn.of(recipient);
  if (!extensions_.dsn) return line;
  if (!wanted.notify.is_unset()) line += " NOTIFY=" + mail::to_text(wanted.notify);
  if (!wanted.original_recipient.empty()) line += " ORCPT=" + wanted.original_recipient;
  return line;
}

ClientStep ClientSession::send_group() {
  auto& transfer = *transfer_;
  const auto last = std::min(commands(), transfer.answered + (extensions_.pipelining ? kMaxGroup : 1));
  std::string group;
  for (; transfer.sent < last; ++transfer.sent) {
    const auto line = line_of(transfer.sent);
    if (!is_one_line(line)) {
      judge_undecided(
        Disposition::failed, stage_of(transfer.sent), own_reply(553, {5, 1, 3}, "Address holds a line break")
      );
      return connection_failed({Errc::invalid_argument, Fate::permanent, "an address holds a line break"});
    }
    group.append(line).append("\r\n");
  }
  stage_ = stage_of(transfer.answered);
  return client_step::Write{std::move(group), timeout()};
}

ClientStep ClientSession::on_transfer_reply(const Reply& reply) {
  auto& transfer = *transfer_;
  const auto command = transfer.answered++;
  const auto stage = stage_of(command);
  if (judges_credentials(reply)) return hop_failed(Errc::not_permitted, summary(reply), reply);
  if (reply.code == 421 && !transfer.is_judged && transfers_ > 1) {
    // It closed while we were idle and says so only now.
    return hop_failed(Errc::unavailable, summary(reply), reply);
  }
  transfer.is_judged = true;
  if (is_out_of_step(stage, reply)) return answered_out_of_step(summary(reply));
  switch (stage) {
    case Stage::mail:
      transfer.mail_is_refused = !reply.is_positive();
      if (transfer.mail_is_refused) {
        for (std::size_t i = 0; i < transfer.outcome.recipients.size(); ++i) judge(i, Stage::mail, reply);
      }
      break;
    case Stage::rcpt:
      if (transfer.mail_is_refused) break;  // what MAIL was told counts
      if (reply.is_positive()) transfer.is_accepted[command - 1] = true;
      else judge(command - 1, Stage::rcpt, reply);
      break;
    default:
      transfer.wants_content = reply.code == 354;
      if (!transfer.wants_content) {
        for (std::size_t i = 0; i < transfer.outcome.recipients.size(); ++i) {
          if (transfer.is_accepted[i]) judge(i, Stage::data, reply);
        }
        std::fill(transfer.is_accepted.begin(), transfer.is_accepted.end(), false);
      }
      break;
  }
  if (reply.code == 421) {  // RFC 5321 section 3.8: it closes, whatever else was asked
    judge_undecided(Disposition::deferred, stage, reply);
    is_closing_ = true;
    return finish_transfer();
  }
  if (transfer.answered < transfer.sent) {
    stage_ = stage_of(transfer.answered);
    return read_more();
  }
  return after_group();
}

/// All that was sent is answered: the next group, the content, or the end.
ClientStep ClientSession::after_group() {
  auto& transfer = *transfer_;
  if (transfer.wants_content) {
    if (parser_.has_leftover()) {
      return connection_failed({Errc::protocol_error, Fate::transient, "answered before the end of data"});
    }
    if (has_accepted()) {
      stage_ = Stage::content;
      return client_step::SendContent{timeout()};
    }
    // RFC 2920 section 3.1: every recipient was refused, yet it waits for content.
    is_aborting_data_ = true;
    return say(Stage::data_end, ".");
  }
  const auto left = commands() - transfer.sent;
  const bool only_data_is_left = left <= 1;
  if (left == 0 || transfer.mail_is_refused || (only_data_is_left && !has_accepted())) {
    needs_reset_ = true;
    return finish_transfer();
  }
  return parser_.has_leftover() ? answered_unasked() : send_group();
}

/// There was a reply too many, no telling which.
ClientStep ClientSession::answered_out_of_step(const std::string& what) {
  auto& recipients = transfer_->outcome.recipients;
  std::fill(recipients.begin(), recipients.end(), RecipientOutcome{});
  return connection_failed({Errc::protocol_error, Fate::transient, "out of step: " + what});
}

/// All that was sent is answered, and there is more.
ClientStep ClientSession::answered_unasked() {
  const auto reply = next_reply();
  if (!reply) return answered_out_of_step("answered " + without_secrets(parser_.leftover()));
  if (reply->code != 421) return answered_out_of_step(summary(*reply));
  judge_undecided(Disposition::deferred, stage_, *reply);
  is_closing_ = true;
  return finish_transfer();
}

// ---- content ----

ClientStep ClientSession::on(const client_event::ContentSent&) {
  is_listening_ = true;
  return client_step::Listen{};
}

/// What the peer said while content was still flowing. Nothing is as it should be: the end of data goes out.
ClientStep ClientSession::early_reply() {
  const auto reply = next_reply();
  if (reply && (reply->is_transient() || reply->is_permanent())) {
    is_closing_ = true;  // it refused in the middle: the rest of our content would be read as commands
    return on_end_of_data(*reply);
  }
  if (content_failure_) return connection_failed(*content_failure_);
  if (reply || parser_.has_leftover()) {
    return connection_failed({Errc::protocol_error, Fate::transient, "answered before the end of data"});
  }
  is_ending_ = true;
  return client_step::EndContent{timeout()};
}

ClientStep ClientSession::on_end_of_data(const Reply& reply) {
  auto& transfer = *transfer_;
  if (reply.is_intermediate())  // the true answer is still to come
    return connection_failed({Errc::protocol_error, Fate::transient, "out of step: " + summary(reply)});
  if (std::exchange(is_aborting_data_, false)) {
    needs_reset_ = true;
    return finish_transfer();
  }
  if (judges_credentials(reply)) return hop_failed(Errc::not_permitted, summary(reply), reply);
  for (std::size_t i = 0; i < transfer.outcome.recipients.size(); ++i) {
    if (transfer.is_accepted[i]) judge(i, Stage::data_end, reply);
  }
  if (reply.code == 421) is_closing_ = true;
  if (parser_.has_leftover()) {  // the outcome stands, the connection does not
    failure_ =
      HopFailure{stage_, {Errc::protocol_error, Fate::transient, "answered twice"}, std::nullopt, false};
  }
  return finish_transfer();
}

ClientStep ClientSession::on(const client_event::ContentUnreadable& failure) {
  transfer_->outcome.unreadable = failure.error;
  judge_undecided(
    Disposition::deferred, Stage::content,
    own_reply(451, {4, 3, 0}, "Content could not be read: " + failure.error.context)
  );
  is_closing_ = true;
  return finish_transfer();
}

// ---- results ----

/// 2yz at end of data delivers; 4yz and 552 to RCPT defer; 5yz fails; what has no place here defers.
void ClientSession::judge(std::size_t recipient, Stage stage, const Reply& reply) {
  const bool is_too_many = stage == Stage::rcpt && reply.code == 552;
  auto disposition = Disposition::deferred;
  if (reply.is_positive() && stage == Stage::data_end) disposition = Disposition::delivered;
  else if (reply.is_permanent() && !is_too_many) disposition = Disposition::failed;
  transfer_->outcome.recipients[recipient] = {disposition, stage, reply, extensions_.dsn};
}

void ClientSession::judge_undecided(Disposition disposition, Stage stage, const Reply& reply) {
  for (auto& recipient : transfer_->outcome.recipients) {
    if (recipient.disposition == Disposition::untried) recipient = {disposition, stage, reply};
  }
}

bool ClientSession::has_accepted() const {
  const auto& accepted = transfer_->is_accepted;
  return std::find(accepted.begin(), accepted.end(), true) != accepted.end();
}

ClientStep ClientSession::finish_transfer() {
  auto outcome = std::move(transfer_->outcome);
  transfer_.reset();
  return client_step::Report{std::move(outcome)};
}

ClientStep ClientSession::on(const client_event::Reported&) {
  if (failure_ || is_closing_) return client_step::Close{failure_};
  return idle();
}

/// The hop is at fault: a message in hand was not judged by it.
ClientStep ClientSession::hop_failed(Errc code, std::string what, std::optional<Reply> reply) {
  const bool is_refusal =
    reply && (judges_credentials(*reply) || (stage_ == Stage::auth && reply->is_permanent()));
  failure_ = HopFailure{stage_, {code, Fate::transient, std::move(what)}, std::move(reply), is_refusal};
  if (!is_transferring()) return client_step::Close{failure_};
  return finish_transfer();
}

ClientStep ClientSession::on(const client_event::TimedOut&) {
  const Error error{Errc::timed_out, Fate::transient, "timed out while " + std::string(doing(stage_))};
  if (stage_ != Stage::content) return connection_failed(error);
  // Just then the last octets may have gone.
  if (std::exchange(is_ending_, false)) stage_ = Stage::data_end;
  return content_stopped(error);
}

ClientStep ClientSession::on(const client_event::Lost& lost) {
  if (stage_ == Stage::quit) return client_step::Close{std::nullopt};
  // What could not be written did not end the content.
  is_ending_ = false;
  return stage_ == Stage::content ? content_stopped(lost.error) : connection_failed(lost.error);
}

/// A hop that takes no more of the content may have said why: then it would say so to each repetition, too.
ClientStep ClientSession::content_stopped(const Error& error) {
  if (std::exchange(is_listening_, true)) return connection_failed(content_failure_.value_or(error));
  content_failure_ = error;
  return client_step::Listen{};
}

/// The connection is of no more use. A message that was under way is deferred, unless the connection had been
/// kept from earlier ones and went away before it answered a word of this one.
ClientStep ClientSession::connection_failed(const Error& error) {
  if (stage_ == Stage::quit) return client_step::Close{std::nullopt};
  failure_ = HopFailure{stage_, error, std::nullopt, false};
  if (!is_transferring()) return client_step::Close{failure_};
  const bool was_stale =
    transfers_ > 1 && !transfer_->is_judged && stage_ == Stage::mail && error.code == Errc::connection_lost;
  if (!was_stale) {
    transfer_->outcome.may_be_duplicated = stage_ == Stage::data_end && !is_aborting_data_;
    judge_undecided(Disposition::deferred, stage_, own_reply(451, {4, 4, 2}, error.context));
  }
  return finish_transfer();
}

}  // namespace relay::smtp
