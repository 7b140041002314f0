#include "relay/session/filtering.hpp"

#include <algorithm>

#include "relay/base/text.hpp"
#include "relay/session/records.hpp"
#include "relay/smtp/reply.hpp"

namespace relay::session {
namespace {

using metrics::Counter;
using milter::Edit;
using net::Awaitable;
using std::chrono::steady_clock;

/// Of the recipients that filters add.
constexpr std::size_t kMaxRecipients = 1000;

tl::unexpected<Error> fault(std::string what) { return transient(Errc::protocol_error, std::move(what)); }

/// With or without brackets; the null sender is `<>`, or nothing.
Result<mail::Address> parse_path(std::string_view text, const mail::Envelope& envelope) {
  if (text.starts_with('<') && text.ends_with('>') && text.size() > 1) text = text.substr(1, text.size() - 2);
  if (text.empty()) return mail::Address();
  return mail::Address::parse(text, envelope.smtputf8 ? mail::Charset::utf8 : mail::Charset::ascii);
}

Result<void> add_recipient(mail::Envelope& envelope, std::string_view text) {
  auto address = parse_path(text, envelope);
  if (!address || address->is_null()) return fault("adds no address: " + printable(text, 100));
  // As a client may not name them either.
  if (const auto refusal = policy::refuse_recipient(*address))
    return fault("adds a recipient that is refused: " + refusal->to_line());
  auto& recipients = envelope.recipients;
  if (std::find(recipients.begin(), recipients.end(), *address) != recipients.end()) return {};
  if (recipients.size() >= kMaxRecipients) return fault("adds more recipients than a message may have");
  recipients.push_back(std::move(*address));
  if (!envelope.dsn.recipients.empty()) envelope.dsn.recipients.emplace_back();
  return {};
}

/// One that is not there is no fault.
void remove_recipient(mail::Envelope& envelope, std::string_view text) {
  const auto address = parse_path(text, envelope);
  if (!address) return;
  const auto gone = address->to_text();
  auto& asked = envelope.dsn.recipients;
  for (std::size_t i = envelope.recipients.size(); i > 0; --i) {
    if (!equals_ignoring_case(envelope.recipients[i - 1].to_text(), gone)) continue;
    const auto at = static_cast<std::ptrdiff_t>(i - 1);
    envelope.recipients.erase(envelope.recipients.begin() + at);
    if (!asked.empty()) asked.erase(asked.begin() + at);
  }
}

Result<void> change_sender(mail::Envelope& envelope, std::string_view text) {
  auto address = parse_path(text, envelope);
  if (!address || (!address->is_null() && address->domain().empty()))
    return fault("changes the sender to no address: " + printable(text, 100));
  envelope.reverse_path = std::move(*address);
  return {};
}

std::vector<std::string> texts_of(const std::vector<mail::Address>& addresses) {
  std::vector<std::string> all;
  for (const auto& address : addresses) all.push_back(address.to_text());
  return all;
}

/// What the client said to MAIL, as far as filters ask for it.
std::vector<std::string> parameters_of(const mail::Envelope& envelope) {
  std::vector<std::string> all{"SIZE=" + std::to_string(envelope.size)};
  if (envelope.body == mail::Body::eight_bit_mime) all.emplace_back("BODY=8BITMIME");
  if (envelope.smtputf8) all.emplace_back("SMTPUTF8");
  return all;
}

}  // namespace

std::string Filtering::hold(std::string content) {
  const auto count = end_.feed(content);
  const auto header = std::string_view(content).substr(0, count);
  header_lines_ += static_cast<std::size_t>(std::count(header.begin(), header.end(), '\n'));
  if (header_.size() + count > kMaxHeader || header_lines_ > kMaxHeaderLines) is_too_large_ = true;
  if (!is_too_large_) header_.append(content, 0, count);
  content.erase(0, count);
  return content;
}

Awaitable<Filtering::Ending> Filtering::finish(
  mail::Envelope& envelope, IncomingMessage& message, const std::string& last_chunk
) {
  Ending ending;
  if (is_too_large_) ending.instead = smtp::reply(552, {5, 3, 4}, "Header too large");
  const auto id = message.id();
  for (auto milter = milters_->begin(); milter != milters_->end() && !ending.instead; ++milter) {
    auto outcome = co_await ask(*milter, envelope, message, last_chunk);
    if (unreadable_) ending.instead = smtp::reply_for(*unreadable_);
    else if (!outcome) ending.instead = give_up(*milter, envelope, id, outcome.error());
    else follow(*milter, *outcome, id, envelope, ending);
  }
  co_return ending;
}

/// What it says is followed as a whole or, where it asks for what can't be, not at all.
Awaitable<Result<Filtering::Decided>> Filtering::ask(
  const Milter& milter, const mail::Envelope& envelope, IncomingMessage& message,
  const std::string& last_chunk
) {
  auto& counters = services_.counters;
  const auto begin = steady_clock::now();
  if (!milter.circuit->may_ask(begin)) {
    counters.add(Counter::milter_skipped);
    co_return transient(Errc::unavailable, "it failed several times in a row and is not asked for a while");
  }
  BodyReader body(message, last_chunk);
  auto told = what_is_told(envelope, message.id());
  auto outcome = co_await ask_milter(milter, std::move(told), body, services_.resolver, services_.tasks);
  unreadable_ = body.failure();
  Result<Decided> decided = Decided{};
  if (outcome) decided = decide(std::move(*outcome), envelope);
  else decided = tl::unexpected(std::move(outcome.error()));
  const auto end = steady_clock::now();
  if (unreadable_) co_return decided;
  counters.observe(metrics::Duration::milter, end - begin);
  if (!decided) counters.add(Counter::milter_failed);
  milter.circuit->note(end, !decided);
  co_return decided;
}

milter::Message Filtering::what_is_told(const mail::Envelope& envelope, const QueueId& id) const {
  milter::Message told;
  told.hostname = client_.hostname;
  told.client = client_.address;
  told.helo = envelope.origin.helo;
  if (const auto& tls = envelope.origin.tls) {
    told.tls_version = tls->version;
    told.tls_cipher = tls->cipher;
  }
  told.user = envelope.origin.user;
  if (!told.user.empty()) told.auth_type = client_.auth_type;
  told.queue_id = id.to_text();
  told.sender = envelope.reverse_path.to_text();
  told.parameters = parameters_of(envelope);
  told.recipients = texts_of(envelope.recipients);
  told.header = milter::Header::parse(header_).fields();
  return told;
}

Result<Filtering::Decided> Filtering::decide(milter::Outcome outcome, const mail::Envelope& envelope) const {
  Decided decided{std::move(outcome), envelope, {}, {}};
  if (decided.outcome.edits.empty()) return decided;
  auto header = milter::Header::parse(header_);
  for (const auto& edit : decided.outcome.edits) {
    Result<void> done;
    switch (edit.kind) {
      case Edit::Kind::add_header:
      case Edit::Kind::insert_header:
      case Edit::Kind::change_header: header.apply(edit, decided.outcome.has_leading_space); break;
      case Edit::Kind::add_recipient: done = add_recipient(decided.envelope, edit.value); break;
      case Edit::Kind::remove_recipient: remove_recipient(decided.envelope, edit.value); break;
      case Edit::Kind::change_sender: done = change_sender(decided.envelope, edit.value); break;
      case Edit::Kind::quarantine: decided.quarantine = printable(edit.value, 200); break;
    }
    if (!done) return tl::unexpected(std::move(done.error()));
  }
  decided.header = header.to_text();
  decided.envelope.size = envelope.size - header_.size() + decided.header.size();
  return decided;
}

void Filtering::follow(
  const Milter& milter, Decided& decided, const QueueId& id, mail::Envelope& envelope, Ending& ending
) {
  using Kind = milter::Outcome::Kind;
  const auto& outcome = decided.outcome;
  const bool has_edits = !outcome.edits.empty();
  const bool throws_away =
    outcome.kind == Kind::discard || (has_edits && decided.envelope.recipients.empty());
  if (outcome.kind == Kind::refuse) {
    services_.counters.add(Counter::milter_refused);
    services_.log.write(record(log::info("milter"), milter, envelope, id)
                          .with("action", "refuse")
                          .with("reply", outcome.reply.to_line()));
    ending.instead = outcome.reply;
  } else if (throws_away) {
    services_.counters.add(Counter::milter_discarded);
    services_.log.write(record(log::warning("milter"), milter, envelope, id)
                          .with("action", "discard")
                          .with("message_id", envelope.message_id)
                          .with("size", envelope.size));
    ending.instead = smtp::reply(250, {2, 0, 0}, "OK");
  } else if (has_edits) {
    auto note = record(log::info("milter"), milter, envelope, id);
    note.with("action", decided.quarantine ? "quarantine" : "change").with("changes", outcome.edits.size());
    if (decided.quarantine) note.with("reason", *decided.quarantine);
    services_.log.write(note);
    services_.counters.add(Counter::milter_changed);
    ending.is_quarantined = ending.is_quarantined || decided.quarantine;
    envelope = std::move(decided.envelope);
    header_ = std::move(decided.header);
  } else {
    services_.counters.add(Counter::milter_passed);
  }
}

std::optional<mail::Reply> Filtering::give_up(
  const Milter& milter, const mail::Envelope& envelope, const QueueId& id, const Error& error
) {
  std::optional<mail::Reply> reply;
  switch (milter.on_failure) {
    case OnFailure::accept: break;
    case OnFailure::defer:
      reply = smtp::reply(451, {4, 7, 1}, "A content filter is not available, try again later");
      break;
    case OnFailure::reject: reply = smtp::reply(550, {5, 7, 1}, "A content filter is not available"); break;
  }
  auto note = record(log::warning("milter_failed"), milter, envelope, id);
  note.with("error", error.message());
  if (reply) note.with("reply", reply->to_line());
  else note.with("message", "the message goes on without it, as on_failure says");
  services_.log.write(note);
  return reply;
}

log::Record Filtering::record(
  log::Record record, const Milter& milter, const mail::Envelope& envelope, const QueueId& id
) const {
  return at_listener(std::move(record), envelope.origin.listener)
    .with("milter", milter.name)
    .with("queue_id", id.to_text())
    .with("client", envelope.origin.client)
    .with("sender", envelope.reverse_path.to_text())
    .with("recipients", texts_of(envelope.recipients));
}

}  // namespace relay::session
