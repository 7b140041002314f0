#include "relay/engine/outcome_log.hpp"

#include "relay/dsn/classify.hpp"
#include "relay/engine/records.hpp"

namespace relay::engine {
namespace {

using metrics::Counter;
using smtp::Disposition;

struct EventOf {
  std::string_view event;
  log::Level level;
  Counter counter;
};
EventOf event_of(Disposition disposition) {
  switch (disposition) {
    case Disposition::delivered: return {"delivery", log::Level::info, Counter::recipients_delivered};
    case Disposition::failed: return {"failure", log::Level::warning, Counter::recipients_failed};
    case Disposition::deferred:
    case Disposition::untried: break;
  }
  return {"deferral", log::Level::info, Counter::recipients_deferred};
}

/// As Postfix's delays=a/b/c/d: before the queue gave it out, in the hands of the shard, connecting, sending.
std::string delays(const Ended& ended, milliseconds age) {
  const auto& peer = ended.peer;
  const auto queued = age - ended.waited - peer.connecting - ended.sending;
  const auto text = [](std::chrono::nanoseconds part) {
    const auto all = std::chrono::round<milliseconds>(std::max(part, std::chrono::nanoseconds{0})).count();
    const auto rest = std::to_string(1000 + all % 1000);
    return std::to_string(all / 1000) + "." + rest.substr(1);
  };
  return text(queued) + "/" + text(ended.waited) + "/" + text(peer.connecting) + "/" + text(ended.sending);
}

log::Record outcome_record(
  const Context& context, const Ended& ended, const Settlement& settlement, std::size_t i, milliseconds age
) {
  const auto& [attempt, outcome, peer, shard, waited, sending] = ended;
  const auto& recipient = outcome.recipients[i];
  const auto [event, level, counter] = event_of(recipient.disposition);
  const std::vector<std::string> address{attempt.stored.envelope.recipients[attempt.pending[i]].to_text()};
  auto record = with_peer(with_attempt({level, event}, attempt, address, context.clock.now()), peer)
                  .with("recipient", address.front())
                  .with("stage", smtp::doing(recipient.stage))
                  .with("reply", recipient.reply.to_line())
                  .with("delays", delays(ended, age))
                  .with("delay_attempt", to_seconds(waited + peer.connecting + sending))
                  .with("connection_use", peer.messages_before + 1);
  if (recipient.disposition != Disposition::delivered) {
    const dsn::Failure failure{recipient.reply, recipient.stage};
    record.with("class", dsn::to_label(dsn::classify(failure)));
  }
  if (outcome.may_be_duplicated) record.with("possible_duplicate", true);
  if (settlement.again) {
    const auto wait = settlement.again->key.due - context.clock.now();
    record.with("retry_in", to_seconds(wait));
  }
  return record;
}

}  // namespace

void log_outcome(
  const Context& context, metrics::Shard& counters, const Ended& ended, const Settlement& settlement
) {
  const auto age = context.clock.now() - ended.attempt.place.item.arrival;
  counters.observe(metrics::Duration::delivery_attempt, ended.waited + ended.peer.connecting + ended.sending);
  if (ended.outcome.may_be_duplicated) counters.add(Counter::possible_duplicates_out);
  for (std::size_t i = 0; i < ended.outcome.recipients.size(); ++i) {
    const auto& recipient = ended.outcome.recipients[i];
    counters.add(event_of(recipient.disposition).counter);
    context.log.write(outcome_record(context, ended, settlement, i, age));
    if (recipient.disposition == Disposition::delivered) {
      counters.observe(metrics::Duration::delivery, age);
      continue;
    }
    if (recipient.disposition == Disposition::untried) continue;
    const auto bounce_class = dsn::classify({recipient.reply, recipient.stage});
    const bool has_failed = recipient.disposition == Disposition::failed;
    counters.add(
      has_failed ? metrics::Refusal::failed : metrics::Refusal::deferred,
      static_cast<std::size_t>(bounce_class)
    );
  }
}

void log_reports(
  const Context& context, metrics::Shard& counters, const Attempt& attempt, const Reported& reported
) {
  for (const auto& message : reported.messages) {
    counters.add(Counter::reports);
    auto actions = nlohmann::ordered_json::array();
    for (const auto& action : reported.actions) actions.push_back(action);
    // Without a place it is on hold: the mode of the relay keeps it in.
    const auto now = context.clock.now();
    const auto due = message.places.empty() ? now : message.places.front().item.key.due;
    context.log.write(log::info("report")
                        .with("queue_id", attempt.id().to_text())
                        .with("report_id", message.id.to_text())
                        .with("to", attempt.stored.envelope.reverse_path.to_text())
                        .with("actions", std::move(actions))
                        .with("captured", message.places.empty())
                        .with("sent_in", to_seconds(std::max(due - now, milliseconds{0}))));
  }
}

}  // namespace relay::engine
