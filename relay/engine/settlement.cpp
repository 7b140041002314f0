#include "relay/engine/settlement.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

namespace relay::engine {
namespace {

using smtp::Disposition;
using spool::Family;

constexpr std::size_t kMaxLast = 512;  // octets of the last reply kept with a waiting message

/// Everything that was stored of the message is removed.
void remove_message(const Attempt& attempt, spool::Operations& operations) {
  const auto& id = attempt.id();
  operations.push_back(spool::remove(Family::envelope, spool::id_key(id)));
  for (std::uint32_t chunk = 0; chunk < attempt.stored.chunks; ++chunk) {
    operations.push_back(spool::remove(Family::content, spool::indexed_key(id, chunk)));
  }
  for (const auto& [recipient, result] : attempt.settled_before) {
    operations.push_back(spool::remove(Family::result, spool::indexed_key(id, recipient)));
  }
  if (attempt.signature_is_stored) operations.push_back(spool::remove(Family::signature, spool::id_key(id)));
}

/// The message's next place in the queue.
Place next_place(const Attempt& attempt, bool was_judged, const Terms& terms) {
  auto place = attempt.place;
  auto& item = place.item;
  auto delay = milliseconds{1};
  if (was_judged) {
    ++item.attempts;
    delay = queue::retry_delay(terms.schedule, item.attempts, terms.fraction);
  }
  item.scheduled = terms.now;
  item.sender_was_warned = item.sender_was_warned || terms.sender_is_warned;
  // Another key than the one that the same batch removes. It may be an earlier one: of a message that hurries, or that
  // a clock since set back had put far ahead.
  item.key.due = terms.now + delay;
  if (item.key.due == attempt.place.item.key.due) item.key.due += milliseconds{1};
  return place;
}

/// Its sender is warned, and all else stays. A mark is another value, and a key is put once.
Settlement waits_on(const Attempt& attempt, const Terms& terms) {
  auto place = attempt.place;
  place.item.key.due += milliseconds{1};
  place.item.sender_was_warned = true;
  Settlement settlement;
  settlement.operations.push_back(spool::remove(Family::due, key_of(attempt.place)));
  settlement.operations.insert(settlement.operations.end(), terms.reports.begin(), terms.reports.end());
  settlement.operations.push_back(put_place(place, attempt.last));
  settlement.sync = terms.reports.empty() ? spool::Sync::no : spool::Sync::yes;
  settlement.again = place.item;
  settlement.is_as_before = true;
  return settlement;
}

/// Results by recipient: those of this attempt.
std::map<std::uint32_t, spool::Settled> results_of(
  const Attempt& attempt, const smtp::MessageOutcome& outcome, const Terms& terms
) {
  std::map<std::uint32_t, spool::Settled> results;
  for (std::size_t i = 0; i < outcome.recipients.size(); ++i) {
    const auto& recipient = outcome.recipients[i];
    const bool is_delivered = recipient.disposition == Disposition::delivered;
    if (!is_delivered && recipient.disposition != Disposition::failed) continue;
    const bool is_closed = is_delivered || (i < terms.is_closed.size() && terms.is_closed[i]);
    results.emplace(
      attempt.pending[i],
      spool::Settled{is_delivered, recipient.reply.to_line(), terms.hop, terms.now, is_closed}
    );
  }
  return results;
}

const smtp::RecipientOutcome* last_deferral(const smtp::MessageOutcome& outcome) {
  const smtp::RecipientOutcome* last = nullptr;
  for (const auto& recipient : outcome.recipients) {
    if (recipient.disposition == Disposition::deferred) last = &recipient;
  }
  return last;
}

template <class Test>
std::uint32_t count(const std::map<std::uint32_t, spool::Settled>& results, Test test) {
  return static_cast<std::uint32_t>(std::count_if(results.begin(), results.end(), [&](const auto& entry) {
    return test(entry.second);
  }));
}

bool has_failed(const spool::Settled& settled) { return !settled.is_delivered; }
/// A report takes over custody. Without one the state before is safe too: after a power cut a message is sent once more.
spool::Sync sync_for(bool has_results, bool has_reports) {
  if (has_reports) return spool::Sync::yes;
  return has_results ? spool::Sync::soon : spool::Sync::no;
}

bool is_open(const spool::Settled& settled) { return !settled.is_delivered && !settled.is_closed; }

}  // namespace

std::vector<std::uint32_t> pending_recipients(
  const spool::StoredEnvelope& stored, const std::vector<std::uint32_t>& share,
  const std::map<std::uint32_t, spool::Settled>& settled
) {
  auto pending = share;
  if (pending.empty()) {
    pending.resize(stored.envelope.recipients.size());
    std::iota(pending.begin(), pending.end(), 0U);
  }
  std::erase_if(pending, [&](std::uint32_t index) {
    return settled.contains(index) || index >= stored.envelope.recipients.size();
  });
  return pending;
}

Settlement settle(const Attempt& attempt, const smtp::MessageOutcome& outcome, const Terms& terms) {
  const auto& id = attempt.id();
  Settlement settlement;
  const auto results = results_of(attempt, outcome, terms);
  const auto* deferral = last_deferral(outcome);
  if (results.empty() && deferral == nullptr) return waits_on(attempt, terms);

  auto& operations = settlement.operations;
  operations.push_back(spool::remove(Family::due, key_of(attempt.place)));
  operations.insert(operations.end(), terms.reports.begin(), terms.reports.end());
  const auto settled = attempt.settled_before.size() + results.size();
  settlement.is_complete = settled == attempt.stored.envelope.recipients.size();
  settlement.has_failed = count(attempt.settled_before, has_failed) + count(results, has_failed) > 0;
  settlement.sync = sync_for(!results.empty(), !terms.reports.empty());
  const auto open = count(attempt.settled_before, is_open) + count(results, is_open);
  settlement.is_dead_letter = settlement.is_complete && open > 0;
  if (settlement.is_complete && !settlement.is_dead_letter) {
    remove_message(attempt, operations);
    return settlement;
  }
  for (const auto& [recipient, result] : results) {
    operations.push_back(
      spool::put_record(Family::result, spool::indexed_key(id, recipient), spool::to_payload(result))
    );
  }
  if (settlement.is_dead_letter) {
    const auto& item = attempt.place.item;
    const spool::Failed failed{item.arrival, item.size, terms.now, open};
    operations.push_back(spool::put_record(Family::failed, spool::id_key(id), spool::to_payload(failed)));
    return settlement;
  }
  if (!attempt.signature.empty() && !attempt.signature_is_stored)
    operations.push_back(spool::put_record(Family::signature, spool::id_key(id), attempt.signature));
  if (results.size() == attempt.pending.size()) return settlement;  // others of its recipients wait elsewhere
  const auto next = next_place(attempt, deferral != nullptr, terms);
  settlement.again = next.item;
  const auto last = deferral != nullptr ? deferral->reply.to_line().substr(0, kMaxLast) : std::string();
  operations.push_back(put_place(next, last));
  return settlement;
}

smtp::MessageOutcome late(const Attempt& attempt, const std::string& obstacle) {
  mail::Reply reply{451, mail::EnhancedStatus{4, 4, 7}, "It waits for its turn"};
  if (!obstacle.empty()) reply = {451, mail::EnhancedStatus{4, 4, 1}, obstacle};
  else if (auto last = mail::Reply::parse_line(attempt.last)) reply = std::move(*last);
  smtp::MessageOutcome outcome;
  outcome.recipients.assign(attempt.pending.size(), {Disposition::untried, smtp::Stage::connect, reply});
  return outcome;
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
