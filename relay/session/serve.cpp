#include "relay/session/serve.hpp"

#include <algorithm>
#include <chrono>
#include <exception>
#include <numeric>
#include <utility>

#include "relay/session/entrance.hpp"
#include "relay/session/filtering.hpp"
#include "relay/session/login.hpp"
#include "relay/session/mending.hpp"
#include "relay/session/policing.hpp"
#include "relay/session/sender_check.hpp"

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

/// What is known of the transaction, for log records of refusals.
struct Context {
  const RulesSource& source;
  Services services;
  IpAddress client;
  std::string sender;
  std::string_view listener;  // of the session's rules
  std::string user;           // who had logged in at MAIL, and was a user still; empty: nobody
  bool was_hidden = false;    // a recipient was refused for that, and nobody logged in since
};

/// What its client was told is taken and does not go where it said: no quiet log keeps that to itself.
bool leads_astray(policy::Action action) {
  return action == policy::Action::discard || action == policy::Action::redirect;
}

log::Record policy_record(const Context& context, const policy::Rule& rule) {
  auto record = (leads_astray(rule.action) ? log::warning("policy") : log::info("policy"))
                  .with("rule", rule.name)
                  .with("action", policy::to_text(rule.action))
                  .with("client", context.client.to_text());
  return at_listener(std::move(record), context.listener);
}

/// What a rule did to the whole message.
void with_what_was_done(log::Record& record, const policy::Rule& rule) {
  if (rule.action == policy::Action::rewrite_sender) record.with("new_sender", rule.new_sender.to_text());
  if (rule.action == policy::Action::copy) record.with("copy_to", rule.copy_to.to_text());
  if (!rule.field_name.empty()) record.with("field", rule.field_name);
}

/// What a rule refuses for certain, before there is content.
/// @param recipient  null: all mail of this sender
event::Verdict police(
  const Context& context, const policy::Decision& decision, const mail::Address* recipient
) {
  auto refusal = policy::refusal_of(decision);
  if (refusal) {
    auto record = policy_record(context, *decision.rule).with("sender", context.sender);
    if (recipient != nullptr) {
      record.with("recipient", recipient->to_text());
      context.services.counters.add(Counter::recipients_refused_rule);
    }
    context.services.log.write(std::move(record).with("reply", refusal->to_line()));
  }
  return {std::move(refusal)};
}

void note_rejection(const Context& context, const mail::Reply& refusal) {
  auto record = log::info("rejection")
                  .with("client", context.client.to_text())
                  .with("user", context.user)
                  .with("sender", context.sender)
                  .with("reply", refusal.to_line());
  context.services.log.write(at_listener(std::move(record), context.listener));
}

event::Verdict judge_recipient(Context& context, const Login& login, const mail::Address& recipient) {
  const auto rules = context.source.rules();
  auto refusal = login.refuse_client(*rules);
  auto counter = Counter::recipients_refused_literal;
  if (refusal) {
    // What is refused for now is for want of a login.
    const bool is_hidden =
      refusal->is_permanent() && policy::standing(rules->access, context.client) == policy::Standing::hidden;
    context.was_hidden = context.was_hidden || is_hidden;
    counter = is_hidden ? Counter::recipients_refused_hidden : Counter::recipients_refused_not_listed;
  } else {
    refusal = policy::refuse_recipient(recipient);
    if (!refusal) {
      refusal = policy::refuse_recipient(rules->guard, recipient);
      counter = Counter::recipients_refused_mode;
    }
  }
  if (refusal) {
    context.services.counters.add(counter);
    auto record = log::info("rejection")
                    .with("client", context.client.to_text())
                    .with("sender", context.sender)
                    .with("recipient", recipient.to_text())
                    .with("reply", refusal->to_line());
    context.services.log.write(at_listener(std::move(record), context.listener));
  }
  return {std::move(refusal)};
}

/// The session's events come from what its steps ask for; a step's answer is the next event.
class Driver {
 public:
  /// @param tls  null where STARTTLS is not offered
  Driver(Stream& stream, smtp::ServerSession& session, Context context, std::shared_ptr<net::TlsServer> tls)
      : stream_(stream), session_(session), context_(std::move(context)), tls_(std::move(tls)) {}

  Awaitable<void> run(std::string early_octets) {
    early_octets_ = std::move(early_octets);
    smtp::ServerEvent event = event::Opened{};
    while (true) {
      auto step = session_.resume(event);
      is_unheard_ = false;
      if (auto* read = std::get_if<step::Read>(&step)) {
        if (!session_.has_transaction()) forget_judges();
        const auto timeout = read->timeout;
        event = co_await read_within(timeout);
      } else if (auto* write = std::get_if<step::Write>(&step)) {
        event = co_await this->write(write->octets);
      } else if (auto* sender = std::get_if<step::AskSender>(&step)) {
        context_.sender = sender->reverse_path.to_text();
        event = judge_sender(std::move(sender->reverse_path));
      } else if (auto* recipient = std::get_if<step::AskRecipient>(&step)) {
        auto verdict = judge_recipient(context_, login_, recipient->recipient);
        if (policing_ && !verdict.refusal) {
          const auto decision = policing_->judge_recipient(recipient->recipient);
          verdict = police(context_, decision, &recipient->recipient);
        }
        event = std::move(verdict);
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
        login_.end(*login);
        if (login->is_right) auth_type_ = sasl::to_text(login->mechanism);
        if (login->is_right) context_.was_hidden = false;  // it only asked whether it has to
        event = event::AuthEnded{};
      } else {
        const auto& last = std::get<step::Close>(step);
        if (last.is_injection) note_injection();
        spoke_first_ = last.why == step::kSpokeFirst;
        co_return;
      }
    }
  }

  /// Behind an exception of run(): what was said by then is sent, and 421. Behind half a reply, or half a handshake, nothing
  /// can be. What the sink has of a message that it did not commit is forgotten.
  Awaitable<void> give_up() {
    incoming_.reset();
    forget_judges();
    if (is_unheard_ || is_speaking_) note_possible_duplicate();
    if (is_speaking_) co_return;
    const smtp::ServerEvent event = event::Failed{};
    const auto step = session_.resume(event);
    if (const auto* last = std::get_if<step::Write>(&step)) {
      co_await write(last->octets);
    }
  }

  /// It wanted to relay, and did not since its address stands for several. That it was turned away for something else, or only
  /// asked whether we are there, is no such thing.
  [[nodiscard]] bool was_refused_as_hidden(const Rules& rules) const {
    const bool is_hidden = policy::standing(rules.access, context_.client) == policy::Standing::hidden;
    return context_.was_hidden || (spoke_first_ && is_hidden);
  }

 private:
  /// Begins a transaction, with the rules of the moment.
  event::Verdict judge_sender(mail::Address reverse_path) {
    forget_judges();
    const auto rules = context_.source.rules();
    context_.user = login_.user(*rules);
    if (auto refusal = context_.services.gate.refuse_message()) return {std::move(refusal)};
    if (rules->sender_bindings) {
      const bool is_hidden = policy::hides_clients(rules->access, context_.client);
      sender_check_.emplace(
        rules->sender_bindings, policy::Sending{context_.client, is_hidden, context_.user}
      );
      if (auto refusal = sender_check_->judge_sender(reverse_path)) {
        note_rejection(context_, *refusal);
        return {std::move(refusal)};
      }
    }
    if (rules->milters) {
      const Filtering::Client client{rules->hostname, context_.client, auth_type_};
      filtering_.emplace(rules->milters, context_.services, client);
    }
    const auto now = std::chrono::time_point_cast<milliseconds>(std::chrono::system_clock::now());
    event::Verdict verdict{std::nullopt, mending_of(*rules, reverse_path, now)};
    if (!rules->policies) return verdict;
    const Policing::Client client{
      context_.client, session_.helo(), session_.has_tls(), context_.user, std::string(context_.listener)
    };
    allowance_.emplace(context_.services.rate_limits);
    // Who may not relay takes nothing of anybody's limits: RCPT refuses him.
    auto* const meter = login_.refuse_client(*rules) ? nullptr : &*allowance_;
    policing_.emplace(rules->policies, client, std::move(reverse_path), meter);
    verdict.refusal = police(context_, policing_->judge_sender(), nullptr).refusal;
    if (verdict.refusal) forget_judges();
    return verdict;
  }

  /// Of the transaction that is over; what it took of limits is given back unless it was kept.
  void forget_judges() {
    policing_.reset();
    allowance_.reset();
    sender_check_.reset();
    filtering_.reset();
  }

  /// What bindings say at the end of data.
  std::optional<mail::Reply> judge_header() {
    if (!sender_check_) return std::nullopt;
    auto refusal = sender_check_->finish();
    if (refusal) note_rejection(context_, *refusal);
    return refusal;
  }

  Awaitable<smtp::ServerEvent> read_within(milliseconds timeout) {
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

  Awaitable<smtp::ServerEvent> write(std::string_view octets) {
    is_speaking_ = true;
    auto written = co_await stream_.write_all(octets, kWriteTimeout);
    is_speaking_ = false;
    smtp::ServerEvent event = event::Written{};
    if (!written) {
      is_deaf_ = true;
      note_possible_duplicate();
      event = event::WriteFailed{};
    }
    last_committed_.reset();
    co_return event;
  }

  void begin_message() {
    if (incoming_) return;
    incoming_ = context_.services.sink.begin();
    if (filtering_) incoming_->expect_header();
  }

  Awaitable<smtp::ServerEvent> append(std::string chunk) {
    begin_message();
    if (sender_check_) sender_check_->see(chunk);
    if (policing_) policing_->see(chunk);
    if (filtering_) chunk = filtering_->hold(std::move(chunk));
    Result<void> stored;
    if (!chunk.empty()) stored = co_await incoming_->append(std::move(chunk));
    smtp::ServerEvent event = event::Stored{std::move(stored)};
    co_return event;
  }

  /// Filters come before the rules, which judge each recipient that is left, and each that was added.
  Awaitable<Filtering::Ending> filter(mail::Envelope& envelope, std::string& last_chunk) {
    last_chunk = filtering_->hold(std::move(last_chunk));
    begin_message();
    auto ending = co_await filtering_->finish(envelope, *incoming_, last_chunk);
    auto header = filtering_->take_header();
    if (policing_) policing_->measure_again(header);
    incoming_->set_header(std::move(header));
    co_return ending;
  }

  Awaitable<smtp::ServerEvent> commit(step::Commit last) {
    std::vector<Policing::Deed> deeds;
    last.envelope.origin.user = context_.user;
    if (sender_check_) sender_check_->see(last.last_chunk);
    if (policing_) policing_->see(last.last_chunk);
    std::optional<mail::Parties> named;
    if (filtering_) named = {last.envelope.reverse_path, last.envelope.recipients};
    Filtering::Ending filtered;
    if (filtering_) filtered = co_await filter(last.envelope, last.last_chunk);
    if (filtered.instead) {
      incoming_.reset();
      if (filtered.instead->is_positive() && allowance_) allowance_->keep();
      forget_judges();
      smtp::ServerEvent event = event::Committed{QueueId{}, std::move(filtered.instead)};
      co_return event;
    }
    Facts facts{std::nullopt, last.envelope.message_id, last.envelope.size};
    if (auto refusal = judge_header()) {
      incoming_.reset();
      forget_judges();
      smtp::ServerEvent event = event::Committed{QueueId{}, std::move(refusal)};
      co_return event;
    }
    if (policing_) {
      auto ending = policing_->finish(last.envelope);
      if (ending.instead) {
        incoming_.reset();
        note_deeds(ending.deeds, facts);
        if (ending.instead->is_positive()) allowance_->keep();
        forget_judges();
        smtp::ServerEvent event = event::Committed{QueueId{}, std::move(ending.instead)};
        co_return event;
      }
      deeds = std::move(ending.deeds);
      if (!named) named = std::move(ending.named);
    }
    if (filtered.is_quarantined) hold_all(last.envelope);
    begin_message();
    if (named) incoming_->note_named(std::move(*named));
    auto id = co_await incoming_->commit(std::move(last.envelope), std::move(last.last_chunk));
    incoming_.reset();
    is_unheard_ = id.has_value();
    if (id) last_committed_ = *id;
    else context_.services.counters.add(Counter::messages_refused_storage);
    if (id) facts.id = *id;
    if (id) note_deeds(deeds, facts);
    if (id && allowance_) allowance_->keep();
    forget_judges();
    if (is_deaf_) note_possible_duplicate();
    smtp::ServerEvent event = event::Committed{std::move(id)};
    co_return event;
  }

  static void hold_all(mail::Envelope& envelope) {
    envelope.held.resize(envelope.recipients.size());
    std::iota(envelope.held.begin(), envelope.held.end(), 0U);
  }

  /// By which somebody finds a message again.
  struct Facts {
    std::optional<QueueId> id;  // nothing: none was stored
    std::string message_id;
    std::uint64_t size = 0;
  };

  /// What rules did at the end of data: a deletion or a change of a message is written down with who and why.
  void note_deeds(const std::vector<Policing::Deed>& deeds, const Facts& message) {
    for (const auto& deed : deeds) {
      const auto action = deed.rule->action;
      auto record = policy_record(context_, *deed.rule);
      if (message.id) record.with("queue_id", message.id->to_text());
      record.with("sender", context_.sender);
      if (!deed.recipients.empty()) record.with("recipients", deed.recipients);
      with_what_was_done(record, *deed.rule);
      if (leads_astray(action)) record.with("message_id", message.message_id).with("size", message.size);
      if (action == policy::Action::discard)
        context_.services.counters.add(Counter::recipients_discarded, deed.recipients.size());
      if (const auto refusal = policy::refusal_of({deed.rule, true})) {
        record.with("reply", refusal->to_line());
        context_.services.counters.add(Counter::recipients_refused_rule, deed.recipients.size());
      }
      context_.services.log.write(record);
    }
  }

  /// With the certificate of the moment, or of the session's begin where there is none any more.
  Awaitable<smtp::ServerEvent> start_tls(milliseconds timeout) {
    if (auto newest = context_.source.rules()->tls) tls_ = std::move(newest);
    // Only where TLS comes first: behind STARTTLS a session has read them all.
    const auto early = std::exchange(early_octets_, {});
    is_speaking_ = true;
    auto info = co_await stream_.accept_tls(tls_, timeout, early);
    is_speaking_ = false;
    smtp::ServerEvent event = event::TlsStarted{};
    if (!info) {
      if (!has_only_knocked(info.error())) note_failed_handshake(info.error());
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
  [[nodiscard]] bool has_only_knocked(const Error& error) const {
    return error.code == Errc::connection_lost && context_.source.rules()->tls_first;
  }

  void note_failed_handshake(const Error& error) {
    context_.services.counters.add(Counter::client_tls_failed);
    auto record = log::warning("client_tls_failed")
                    .with("client", context_.client.to_text())
                    .with("error", error.message());
    context_.services.log.write(at_listener(std::move(record), context_.listener));
  }

  /// Somebody between the client and us may have put them there (CVE-2011-0411).
  void note_injection() {
    context_.services.counters.add(Counter::client_tls_injection);
    auto record =
      log::warning("client_tls_injection")
        .with("client", context_.client.to_text())
        .with(
          "message", "commands came behind STARTTLS in the clear: none was executed, the connection is closed"
        );
    context_.services.log.write(at_listener(std::move(record), context_.listener));
  }

  /// The message is stored and its sender does not know (RFC 1047): it may come again.
  void note_possible_duplicate() {
    if (!last_committed_) return;
    context_.services.counters.add(Counter::possible_duplicates_in);
    auto record = log::warning("possible_duplicate")
                    .with("queue_id", last_committed_->to_text())
                    .with("client", context_.client.to_text())
                    .with("message", "the client was not told that the message is stored");
    context_.services.log.write(at_listener(std::move(record), context_.listener));
  }

  Stream& stream_;
  smtp::ServerSession& session_;
  Context context_;
  Login login_{context_.source, context_.services, context_.client};
  std::shared_ptr<net::TlsServer> tls_;
  std::string early_octets_;
  std::string last_early_octets_;
  std::optional<SenderCheck> sender_check_;  // of the transaction; nothing: there are no bindings
  std::optional<Allowance> allowance_;       // of it, for policing_
  std::optional<Policing> policing_;         // of it; nothing: there are no rules
  std::optional<Filtering> filtering_;       // likewise; nothing: there are no filters
  std::string auth_type_;                    // of the last login
  std::unique_ptr<IncomingMessage> incoming_;
  std::optional<QueueId> last_committed_;  // its client has not been told yet
  bool is_unheard_ = false;                // nor has the session been
  bool is_speaking_ = false;               // a reply or a handshake is under way
  bool is_deaf_ = false;                   // the client is gone, as far as writing tells
  bool spoke_first_ = false;
};

smtp::Client client_of(const Rules& rules, const Preamble& preamble) {
  const auto& address = preamble.client;
  smtp::Client client{address, smtp::Grammar::strict, std::nullopt, rules.listener, preamble.tls};
  const auto standing = policy::standing(rules.access, address);
  if (standing == policy::Standing::allowed) client.grammar = smtp::Grammar::lenient;
  if (standing == policy::Standing::hidden) client.explanation = policy::refuse_client(rules.access, address);
  return client;
}

void note_hidden(const IpAddress& client, Services services) {
  services.counters.add(Counter::hidden_clients);
  services.sightings.note_hidden(client, std::chrono::steady_clock::now());
}

/// What is wrong is ours: the client is told to come again, and has lost nothing.
void note_exception(const Context& context, const std::exception_ptr& thrown) {
  std::string what;
  try {
    std::rethrow_exception(thrown);
  } catch (const std::exception& exception) {
    what = exception.what();
  } catch (...) {
    what = "unknown exception";
  }
  auto record = log::error("exception")
                  .with("in", "session")
                  .with("client", context.client.to_text())
                  .with("error", what);
  context.services.log.write(at_listener(std::move(record), context.listener));
}

void note_end(
  const Context& context, const smtp::ServerSession& session, milliseconds lasted, Services services
) {
  auto record = log::debug("session")
                  .with("client", context.client.to_text())
                  .with("refusals", session.refusals())
                  .with("seconds", static_cast<double>(lasted.count()) / 1000);
  services.log.write(at_listener(std::move(record), context.listener));
}

smtp::ServerLimits limits_of(const std::shared_ptr<const Rules>& rules) {
  auto limits = rules->limits;
  limits.bulk_headers = {rules, &rules->bulk_headers};
  limits.has_tls = rules->tls != nullptr;
  limits.needs_tls = rules->needs_tls;
  limits.tls_first = rules->tls_first;
  limits.has_auth = rules->wants_users;
  limits.auth_needs_tls = rules->auth_needs_tls;
  limits.needs_auth = rules->needs_auth;
  return limits;
}

/// @param refusal  set: all that the session has to say, over TLS
smtp::ServerSession session_of(
  const std::shared_ptr<const Rules>& rules, const Preamble& preamble, std::optional<mail::Reply> refusal
) {
  auto limits = limits_of(rules);
  if (!refusal) return {rules->hostname, client_of(*rules, preamble), std::move(limits)};
  refusal->text = rules->hostname + " " + refusal->text;
  return {rules->hostname, std::move(*refusal), std::move(limits)};
}

}  // namespace

log::Record at_listener(log::Record record, std::string_view listener) {
  if (listener != mail::kMainListener) record.with("listener", listener);
  return record;
}

Awaitable<void> serve(Stream stream, const RulesSource& source, Services services) {
  const auto rules = source.rules();
  auto preamble = co_await identify(stream, *rules);
  if (!preamble) {
    co_await refuse_proxy(stream, *rules, services, preamble.error());
    co_return;
  }
  const bool is_hidden = policy::hides_clients(rules->access, preamble->client);
  std::optional<ClientCounts::Place> place;
  if (!is_hidden || policy::standing(rules->access, preamble->client) != policy::Standing::allowed) {
    place = enter(*rules, preamble->client, is_hidden, services);
    if (!place) {
      turn_away(std::move(stream), *rules, too_many_of(preamble->client, is_hidden), services);
      co_return;
    }
  }
  if (!is_hidden) services.sightings.note_own(preamble->client);
  auto refusal = refuse_connection(*rules, preamble->client, services);
  if (refusal && !rules->tls_first) {
    turn_away(std::move(stream), *rules, std::move(*refusal), services);
    co_return;
  }
  if (rules->tls_first && !rules->tls) {  // no certificate yet: the log says so
    services.counters.add(Counter::client_tls_failed);
    co_return;
  }
  const auto begin = std::chrono::steady_clock::now();
  auto session = session_of(rules, *preamble, std::move(refusal));
  const Context context{source, services, preamble->client, {}, rules->listener, {}, false};
  Driver driver(stream, session, context, rules->tls);
  std::exception_ptr thrown;
  try {
    co_await driver.run(std::move(preamble->early_octets));
  } catch (...) {
    thrown = std::current_exception();
  }
  if (thrown) {
    co_await driver.give_up();
    note_exception(context, thrown);
  }
  services.counters.add(Counter::refusals, session.refusals());
  if (driver.was_refused_as_hidden(*rules)) note_hidden(preamble->client, services);
  if (rules->logs_sessions) {
    const auto lasted = std::chrono::steady_clock::now() - begin;
    note_end(context, session, std::chrono::duration_cast<milliseconds>(lasted), services);
  }
  co_await stream.close_gently();
}

}  // namespace relay::session
