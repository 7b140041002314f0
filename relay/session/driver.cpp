#include "relay/session/driver.hpp"

#include <chrono>
#include <numeric>
#include <utility>

namespace relay::session {
namespace {

using metrics::Counter;
using net::Awaitable;
using net::Stream;
namespace step = smtp::server_step;
namespace event = smtp::server_event;

/// A client that reads nothing for this long is gone (RFC 5321 section 4.5.3.2 names no time for the server's
/// writes).
constexpr milliseconds kWriteTimeout = std::chrono::minutes{5};

void hold_all(mail::Envelope& envelope) {
  envelope.held.resize(envelope.recipients.size());
  std::iota(envelope.held.begin(), envelope.held.end(), 0U);
}

}  // namespace

Driver::Driver(
  Stream& stream, smtp::ServerSession& session, Context context, std::shared_ptr<net::TlsServer> tls
)
    : stream_(stream),
      session_(session),
      context_(std::move(context)),
      login_(context_.source, context_.services, context_.client),
      judges_(context_, login_, session_),
      tls_(std::move(tls)) {}

Awaitable<void> Driver::run(std::string early_octets) {
  early_octets_ = std::move(early_octets);
  smtp::ServerEvent event = event::Opened{};
  while (true) {
    auto step = session_.resume(event);
    is_unheard_ = false;
    if (auto* read = std::get_if<step::Read>(&step)) {
      if (!session_.has_transaction()) judges_.forget();
      const auto timeout = read->timeout;
      event = co_await read_within(timeout);
    } else if (auto* write = std::get_if<step::Write>(&step)) {
      event = co_await this->write(write->octets);
    } else if (auto* sender = std::get_if<step::AskSender>(&step)) {
      context_.sender = sender->reverse_path.to_text();
      event = judges_.judge_sender(std::move(sender->reverse_path));
    } else if (auto* recipient = std::get_if<step::AskRecipient>(&step)) {
      event = judges_.judge_recipient(recipient->recipient);
    } else if (auto* content = std::get_if<step::Content>(&step)) {
      auto chunk = std::move(content->chunk);
      event = co_await append(std::move(chunk));
    } else if (auto* commit = std::get_if<step::Commit>(&step)) {
      auto last = std::move(*commit);
      event = co_await this->commit(std::move(last));
    } else if (std::holds_alternative<step::Discard>(step)) {
      incoming_.reset();
      event = event::Discarded{};
    } else if (auto* secure = std::get_if<step::StartTls>(&step)) {
      const auto timeout = secure->timeout;
      event = co_await start_tls(timeout);
    } else if (std::holds_alternative<step::BeginAuth>(step)) {
      event = login_.begin();
    } else if (auto* password = std::get_if<step::CheckPassword>(&step)) {
      auto asked = std::move(*password);
      auto checked = co_await login_.check(std::move(asked.user), std::move(asked.password));
      event = std::move(checked);
    } else if (auto* proof = std::get_if<step::CheckProof>(&step)) {
      event = login_.check_proof(proof->is_right);
    } else if (auto* login = std::get_if<step::EndAuth>(&step)) {
      note_login(*login);
      event = event::AuthEnded{};
    } else {
      const auto& last = std::get<step::Close>(step);
      if (last.is_injection) note_injection(context_);
      spoke_first_ = last.why == step::kSpokeFirst;
      co_return;
    }
  }
}

Awaitable<void> Driver::give_up() {
  incoming_.reset();
  judges_.forget();
  if (is_unheard_ || is_speaking_) note_if_unheard();
  if (is_speaking_) co_return;
  const smtp::ServerEvent event = event::Failed{};
  const auto step = session_.resume(event);
  if (const auto* last = std::get_if<step::Write>(&step)) {
    co_await write(last->octets);
  }
}

bool Driver::was_refused_as_hidden(const Rules& rules) const {
  const bool is_hidden = policy::standing(rules.access, context_.client) == policy::Standing::hidden;
  return context_.was_hidden || (spoke_first_ && is_hidden);
}

// ---- the connection ----

Awaitable<smtp::ServerEvent> Driver::read_within(milliseconds timeout) {
  if (!early_octets_.empty()) {
    // Kept until the next read: the event only points at it.
    last_early_octets_ = std::exchange(early_octets_, {});
    smtp::ServerEvent event = event::Received{last_early_octets_, milliseconds{0}};
    co_return event;
  }
  const auto begin = std::chrono::steady_clock::now();
  auto octets = co_await stream_.receive(timeout);
  const auto waited = std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now() - begin);
  smtp::ServerEvent event = event::Ended{};
  if (octets) event = event::Received{*octets, waited};
  else if (octets.error().code == Errc::timed_out) event = event::TimedOut{};
  else if (octets.error().code == Errc::cancelled) event = event::Stopping{};
  co_return event;
}

Awaitable<smtp::ServerEvent> Driver::write(std::string_view octets) {
  is_speaking_ = true;
  auto written = co_await stream_.write_all(octets, kWriteTimeout);
  is_speaking_ = false;
  smtp::ServerEvent event = event::Written{};
  if (!written) {
    is_deaf_ = true;
    note_if_unheard();
    event = event::WriteFailed{};
  }
  last_committed_.reset();
  co_return event;
}

void Driver::note_if_unheard() {
  if (last_committed_) note_possible_duplicate(context_, *last_committed_);
}

/// With the certificate of the moment, or of the session's begin where there is none any more.
Awaitable<smtp::ServerEvent> Driver::start_tls(milliseconds timeout) {
  if (auto newest = context_.source.rules()->tls) tls_ = std::move(newest);
  // Only where TLS comes first: behind STARTTLS a session has read them all.
  const auto early = std::exchange(early_octets_, {});
  is_speaking_ = true;
  auto info = co_await stream_.accept_tls(tls_, timeout, early);
  is_speaking_ = false;
  smtp::ServerEvent event = event::TlsStarted{};
  if (!info) {
    if (!has_only_knocked(info.error())) note_failed_handshake(context_, info.error());
    co_return event;
  }
  login_.forget();
  context_.services.counters.add(
    info->version == "TLSv1.3" ? Counter::client_tls_1_3 : Counter::client_tls_1_2
  );
  event = event::TlsStarted{mail::TlsUse{std::move(info->version), std::move(info->cipher)}};
  co_return event;
}

/// A load balancer that asks whether somebody listens connects, says nothing and leaves: in the clear no record tells
/// of that either.
bool Driver::has_only_knocked(const Error& error) const {
  return error.code == Errc::connection_lost && context_.source.rules()->tls_first;
}

void Driver::note_login(const step::EndAuth& login) {
  login_.end(login);
  if (!login.is_right) return;
  context_.auth_type = sasl::to_text(login.mechanism);
  context_.was_hidden = false;  // it only asked whether it has to
}

// ---- a message ----

void Driver::begin_message() {
  if (incoming_) return;
  incoming_ = context_.services.sink.begin();
  if (judges_.filtering()) incoming_->expect_header();
}

Awaitable<smtp::ServerEvent> Driver::append(std::string chunk) {
  begin_message();
  judges_.see(chunk);
  if (auto& filtering = judges_.filtering()) chunk = filtering->hold(std::move(chunk));
  Result<void> stored;
  if (!chunk.empty()) stored = co_await incoming_->append(std::move(chunk));
  smtp::ServerEvent event = event::Stored{std::move(stored)};
  co_return event;
}

/// Filters come before the rules, which judge each recipient that is left, and each that was added.
Awaitable<Filtering::Ending> Driver::filter(mail::Envelope& envelope, std::string& last_chunk) {
  auto& filtering = *judges_.filtering();
  last_chunk = filtering.hold(std::move(last_chunk));
  begin_message();
  auto ending = co_await filtering.finish(envelope, *incoming_, last_chunk);
  auto header = filtering.take_header();
  judges_.see_filtered(header);
  incoming_->set_header(std::move(header));
  co_return ending;
}

Awaitable<smtp::ServerEvent> Driver::commit(step::Commit last) {
  last.envelope.origin.user = context_.user;
  judges_.see(last.last_chunk);
  std::optional<mail::Parties> named;
  Filtering::Ending filtered;
  if (judges_.filtering()) {
    named = {last.envelope.reverse_path, last.envelope.recipients};
    filtered = co_await filter(last.envelope, last.last_chunk);
  }
  if (filtered.instead) {
    auto event = end_without_message(std::move(*filtered.instead));
    co_return event;
  }
  MessageFacts facts{std::nullopt, last.envelope.message_id, last.envelope.size};
  if (auto refusal = judges_.judge_header()) {
    auto event = end_without_message(std::move(*refusal));
    co_return event;
  }
  auto ending = judges_.finish(last.envelope);
  if (ending.instead) {
    incoming_.reset();
    note_deeds(context_, ending.deeds, facts);
    auto event = end_without_message(std::move(*ending.instead));
    co_return event;
  }
  if (!named) named = std::move(ending.named);
  if (filtered.is_quarantined) hold_all(last.envelope);
  begin_message();
  if (named) incoming_->note_named(std::move(*named));
  auto id = co_await incoming_->commit(std::move(last.envelope), std::move(last.last_chunk));
  incoming_.reset();
  is_unheard_ = id.has_value();
  if (id) {
    last_committed_ = *id;
    facts.id = *id;
    note_deeds(context_, ending.deeds, facts);
    judges_.keep_allowance();
  } else {
    context_.services.counters.add(Counter::messages_refused_storage);
  }
  judges_.forget();
  if (is_deaf_) note_if_unheard();
  smtp::ServerEvent event = event::Committed{std::move(id)};
  co_return event;
}

/// Nothing is stored, and the client is told this.
smtp::ServerEvent Driver::end_without_message(mail::Reply instead) {
  incoming_.reset();
  if (instead.is_positive()) judges_.keep_allowance();
  judges_.forget();
  return event::Committed{QueueId{}, std::move(instead)};
}

}  // namespace relay::session
