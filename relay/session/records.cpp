#include "relay/session/records.hpp"

#include <chrono>
#include <utility>

namespace relay::session {
namespace {

using metrics::Counter;

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

}  // namespace

log::Record at_listener(log::Record record, std::string_view listener) {
  if (listener != mail::kMainListener) record.with("listener", listener);
  return record;
}

void note_rejection(const Context& context, const mail::Reply& refusal) {
  auto record = log::info("rejection")
                  .with("client", context.client.to_text())
                  .with("user", context.user)
                  .with("sender", context.sender)
                  .with("reply", refusal.to_line());
  context.services.log.write(at_listener(std::move(record), context.listener));
}

void note_rejection(
  const Context& context, const mail::Address& recipient, const mail::Reply& refusal, Counter counter
) {
  context.services.counters.add(counter);
  auto record = log::info("rejection")
                  .with("client", context.client.to_text())
                  .with("sender", context.sender)
                  .with("recipient", recipient.to_text())
                  .with("reply", refusal.to_line());
  context.services.log.write(at_listener(std::move(record), context.listener));
}

void note_rule_refusal(
  const Context& context, const policy::Rule& rule, const mail::Address* recipient, const mail::Reply& refusal
) {
  auto record = policy_record(context, rule).with("sender", context.sender);
  if (recipient != nullptr) {
    record.with("recipient", recipient->to_text());
    context.services.counters.add(Counter::recipients_refused_rule);
  }
  context.services.log.write(std::move(record).with("reply", refusal.to_line()));
}

void note_deeds(
  const Context& context, const std::vector<Policing::Deed>& deeds, const MessageFacts& message
) {
  for (const auto& deed : deeds) {
    const auto action = deed.rule->action;
    auto record = policy_record(context, *deed.rule);
    if (message.id) record.with("queue_id", message.id->to_text());
    record.with("sender", context.sender);
    if (!deed.recipients.empty()) record.with("recipients", deed.recipients);
    with_what_was_done(record, *deed.rule);
    if (leads_astray(action)) record.with("message_id", message.message_id).with("size", message.size);
    if (action == policy::Action::discard)
      context.services.counters.add(Counter::recipients_discarded, deed.recipients.size());
    if (const auto refusal = policy::refusal_of({deed.rule, true})) {
      record.with("reply", refusal->to_line());
      context.services.counters.add(Counter::recipients_refused_rule, deed.recipients.size());
    }
    context.services.log.write(record);
  }
}

void note_failed_handshake(const Context& context, const Error& error) {
  context.services.counters.add(Counter::client_tls_failed);
  auto record =
    log::warning("client_tls_failed").with("client", context.client.to_text()).with("error", error.message());
  context.services.log.write(at_listener(std::move(record), context.listener));
}

void note_injection(const Context& context) {
  context.services.counters.add(Counter::client_tls_injection);
  auto record =
    log::warning("client_tls_injection")
      .with("client", context.client.to_text())
      .with(
        "message", "commands came behind STARTTLS in the clear: none was executed, the connection is closed"
      );
  context.services.log.write(at_listener(std::move(record), context.listener));
}

void note_possible_duplicate(const Context& context, QueueId id) {
  context.services.counters.add(Counter::possible_duplicates_in);
  auto record = log::warning("possible_duplicate")
                  .with("queue_id", id.to_text())
                  .with("client", context.client.to_text())
                  .with("message", "the client was not told that the message is stored");
  context.services.log.write(at_listener(std::move(record), context.listener));
}

void note_hidden(const Context& context) {
  context.services.counters.add(Counter::hidden_clients);
  context.services.sightings.note_hidden(context.client, std::chrono::steady_clock::now());
}

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

void note_end(const Context& context, const smtp::ServerSession& session, milliseconds lasted) {
  auto record = log::debug("session")
                  .with("client", context.client.to_text())
                  .with("refusals", session.refusals())
                  .with("seconds", static_cast<double>(lasted.count()) / 1000);
  context.services.log.write(at_listener(std::move(record), context.listener));
}

}  // namespace relay::session
