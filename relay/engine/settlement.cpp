#include "relay/engine/settlement.hpp"

#include <algorithm>

namespace relay::engine {
namespace {

using smtp::Disposition;
using spool::Family;

constexpr std::size_t kMaxLast = 512;  // octets of the last reply kept with a waiting message

spool::Settled settled(const smtp::RecipientOutcome& outcome, const std::string& hop, WallTime now) {
  return {outcome.disposition == Disposition::delivered, outcome.reply.to_line(), hop, now};
}

/// Everything that was stored of the message is removed.
void remove_message(const Attempt& attempt, spool::Operations& operations) {
  const auto& id = attempt.item.key.id;
  operations.push_back(spool::remove(Family::envelope, spool::id_key(id)));
  for (std::uint32_t chunk = 0; chunk < attempt.stored.chunks; ++chunk) {
    operations.push_back(spool::remove(Family::content, spool::indexed_key(id, chunk)));
  }
  for (const auto& [recipient, result] : attempt.settled_before) {
    operations.push_back(spool::remove(Family::result, spool::indexed_key(id, recipient)));
  }
}

std::uint32_t failed_before(const Attempt& attempt) {
  const auto& before = attempt.settled_before;
  return static_cast<std::uint32_t>(std::count_if(before.begin(), before.end(), [](const auto& entry) {
    return !entry.second.is_delivered;
  }));
}

/// The message's next place in the queue.
queue::Item next_item(
  const Attempt& attempt, bool was_judged, const queue::RetrySchedule& schedule, WallTime now, double fraction
) {
  auto item = attempt.item;
  auto delay = milliseconds{1};
  if (was_judged) {
    ++item.attempts;
    delay = queue::retry_delay(schedule, item.attempts, fraction);
  }
  item.scheduled = now;
  // Another key than the one that the same batch removes. It may be an earlier one: of a message that hurries, or that
  // a clock since set back had put far ahead.
  item.key.due = now + delay;
  if (item.key.due == attempt.item.key.due) item.key.due += milliseconds{1};
  return item;
}

}  // namespace

std::vector<std::uint32_t> pending_recipients(
  const spool::StoredEnvelope& stored, const std::map<std::uint32_t, spool::Settled>& settled
) {
  std::vector<std::uint32_t> pending;
  for (std::uint32_t i = 0; i < stored.envelope.recipients.size(); ++i) {
    if (!settled.contains(i)) pending.push_back(i);
  }
  return pending;
}

Settlement settle(
  const Attempt& attempt, const smtp::MessageOutcome& outcome, const queue::RetrySchedule& schedule,
  WallTime now, double fraction, const std::string& hop
) {
  const auto& item = attempt.item;
  Settlement settlement;
  settlement.failed_recipients = failed_before(attempt);
  std::vector<spool::Operation> results;
  const smtp::RecipientOutcome* last_deferral = nullptr;
  std::size_t unsettled = 0;
  for (std::size_t i = 0; i < outcome.recipients.size(); ++i) {
    const auto& recipient = outcome.recipients[i];
    if (recipient.disposition == Disposition::deferred) last_deferral = &recipient;
    if (recipient.disposition == Disposition::deferred || recipient.disposition == Disposition::untried) {
      ++unsettled;
      continue;
    }
    if (recipient.disposition == Disposition::failed) ++settlement.failed_recipients;
    results.push_back(spool::put_record(
      Family::result, spool::indexed_key(item.key.id, attempt.pending[i]),
      spool::to_payload(settled(recipient, hop, now))
    ));
  }
  if (results.empty() && last_deferral == nullptr) return settlement;

  auto& operations = settlement.operations;
  operations.push_back(
    spool::remove(Family::due, spool::due_key(attempt.destination.name, item.key.due, item.key.id))
  );
  settlement.is_complete = unsettled == 0;
  settlement.sync = results.empty() ? spool::Sync::no : spool::Sync::yes;
  if (settlement.is_complete && settlement.failed_recipients == 0) {
    remove_message(attempt, operations);
    return settlement;
  }
  operations.insert(operations.end(), results.begin(), results.end());
  if (settlement.is_complete) {
    const spool::Failed failed{item.arrival, item.size, now, settlement.failed_recipients};
    operations.push_back(
      spool::put_record(Family::failed, spool::id_key(item.key.id), spool::to_payload(failed))
    );
    return settlement;
  }
  settlement.again = next_item(attempt, last_deferral != nullptr, schedule, now, fraction);
  const auto last = last_deferral != nullptr ? last_deferral->reply.to_line().substr(0, kMaxLast) : "";
  const spool::Waiting waiting{item.arrival, item.size, settlement.again->attempts, last, now};
  operations.push_back(spool::put_record(
    Family::due, spool::due_key(attempt.destination.name, settlement.again->key.due, item.key.id),
    spool::to_payload(waiting)
  ));
  return settlement;
}

smtp::MessageOutcome expired(const Attempt& attempt, milliseconds max_age) {
  const mail::Reply reply{
    554, mail::EnhancedStatus{5, 4, 7}, "Delivery was tried for " + to_text(max_age) + " without success"
  };
  smtp::MessageOutcome outcome;
  outcome.recipients.assign(attempt.pending.size(), {Disposition::failed, smtp::Stage::connect, reply});
  return outcome;
}

}  // namespace relay::engine
