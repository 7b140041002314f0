#include "relay/engine/queue_batch.hpp"

#include <algorithm>
#include <utility>

#include "relay/engine/outcome_log.hpp"
#include "relay/engine/records.hpp"

namespace relay::engine {
namespace {

using spool::Family;

smtp::MessageOutcome deleted(const Attempt& attempt) {
  const mail::Reply reply{550, mail::EnhancedStatus{5, 7, 0}, "Deleted by an administrator"};
  smtp::MessageOutcome outcome;
  outcome.recipients.assign(attempt.pending.size(), {smtp::Disposition::failed, smtp::Stage::connect, reply});
  return outcome;
}

/// Recipients of a dead letter that somebody should hear of.
std::vector<std::uint32_t> open_failures(const std::map<std::uint32_t, spool::Settled>& settled) {
  std::vector<std::uint32_t> open;
  for (const auto& [recipient, result] : settled) {
    if (!result.is_delivered && !result.is_closed) open.push_back(recipient);
  }
  return open;
}

}  // namespace

bool QueueBatch::add(const QueueId& id, const std::vector<Standing>& taken) {
  std::vector<Standing> there;
  for (const auto& standing : taken) {
    // The key says all: what moved has another.
    auto now = read_standing(context_.store, standing.family, standing.key);
    if (now) there.push_back(std::move(*now));
    else if (standing.family == Family::due) vanished_.push_back(standing.place);
  }
  bool is_changed = false;
  if (!there.empty()) {
    switch (change_.action) {
      case QueueAction::hold: is_changed = hold(there.front()); break;
      case QueueAction::release: is_changed = release(there.front()); break;
      case QueueAction::retry: is_changed = retry(there.front()); break;
      case QueueAction::remove: is_changed = remove(id, there); break;
    }
  }
  if (!is_changed) leave(there);
  return is_changed;
}

void QueueBatch::leave(const std::vector<Standing>& taken) {
  for (const auto& standing : taken) {
    if (standing.family == Family::due) left_.push_back(standing.place);
  }
}

void QueueBatch::note(std::string_view event, const QueueId& id) {
  records_.push_back(
    log::warning(event).with("queue_id", id.to_text()).with("by", change_.by).with("reason", change_.reason)
  );
}

bool QueueBatch::hold(const Standing& standing) {
  const auto free = with_free_held_key(context_.store, standing.place);
  if (!free) return false;
  auto waiting = standing.waiting;
  waiting.is_released = false;
  operations_.push_back(spool::remove(Family::due, standing.key));
  operations_.push_back(spool::put_record(Family::held, key_of(*free), spool::to_payload(waiting)));
  moves_.push_back({standing.place, std::nullopt});
  note("hold", standing.id);
  return true;
}

Place QueueBatch::due_now(const Standing& standing) const {
  auto place = standing.place;
  place.item.key.due = context_.clock.now();
  place.item.scheduled = place.item.key.due;
  return place;
}

/// Others of the message that this batch has released into the same queue; null: there are none.
Place* QueueBatch::released_with(const Place& place) {
  const auto found = std::find_if(new_.begin(), new_.end(), [&](const Place& other) {
    return other.item.key.id == place.item.key.id && other.queue.to_key() == place.queue.to_key();
  });
  return found == new_.end() ? nullptr : &*found;
}

/// Whether what is released needs a mark to leave. Without one a stricter mode of later keeps it in, as it does all else.
bool QueueBatch::needs_release() const {
  return context_.limits.limits()->guard.mode != policy::Mode::deliver;
}

bool QueueBatch::release(const Standing& standing) {
  if (standing.family == Family::failed) return release_dead_letter(standing);
  auto place = due_now(standing);
  place.is_released = needs_release();
  if (!place.share.empty()) {
    // A queue holds a message once: others of its recipients may wait there by now.
    const auto there = context_.store.places_of(Family::due, standing.id, place.queue.to_key());
    if (!there || !there->empty()) return false;
  }
  operations_.push_back(spool::remove(Family::held, standing.key));
  if (auto* others = released_with(place)) {
    auto& share = others->share;
    share.insert(share.end(), place.share.begin(), place.share.end());
    std::sort(share.begin(), share.end());
    // A key is written once before it is deleted (docs/spool.md).
    std::erase_if(operations_, [key = key_of(*others)](const spool::Operation& operation) {
      return operation.family == Family::due && operation.key == key;
    });
    operations_.push_back(put_place(*others, standing.waiting.last));
  } else {
    operations_.push_back(put_place(place, standing.waiting.last));
    new_.push_back(place);
  }
  note("release", standing.id);
  return true;
}

/// Its failed recipients wait again, as of a message that came now.
bool QueueBatch::release_dead_letter(const Standing& standing) {
  const auto& id = standing.id;
  const auto stored = context_.store.envelope(id);
  const auto settled = context_.store.results(id);
  if (!stored || !settled) return false;
  const auto open = open_failures(*settled);
  if (open.empty()) return false;
  operations_.push_back(spool::remove(Family::failed, standing.key));
  for (const auto recipient : open)
    operations_.push_back(spool::remove(Family::result, spool::indexed_key(id, recipient)));
  const auto now = context_.clock.now();
  auto split = context_.limits.limits()->routes->split(stored->envelope, open);
  const bool is_whole = split.size() == 1;
  for (auto& [destination, recipients] : split) {
    Place place{{destination, queue::Lane::normal}, {{now, id}, now, 0, standing.failed.size, now}, {}};
    place.is_released = needs_release();
    if (!is_whole) place.share = std::move(recipients);
    operations_.push_back(put_place(place));
    new_.push_back(std::move(place));
  }
  failed_less_.add(standing.failed.size);
  waiting_more_.add(standing.failed.size);
  note("release", id);
  return true;
}

bool QueueBatch::retry(const Standing& standing) {
  const auto place = due_now(standing);
  if (place.item.key.due == standing.place.item.key.due) return false;
  operations_.push_back(spool::remove(Family::due, standing.key));
  operations_.push_back(put_place(place, standing.waiting.last));
  moves_.push_back({standing.place, place});
  return true;
}

/// @param places  all that is known of it; not in flight anywhere
bool QueueBatch::remove(const QueueId& id, const std::vector<Standing>& places) {
  const auto stored = context_.store.envelope(id);
  const auto settled = context_.store.results(id);
  if (!stored || !settled) return false;
  const bool is_dead_letter = places.front().family == Family::failed;
  if (!is_dead_letter && !are_all_places(places, *stored, *settled)) return false;
  Attempt attempt;
  attempt.place = places.front().place;
  attempt.place.item.key.id = id;
  attempt.place.share.clear();
  attempt.stored = *stored;
  attempt.settled_before = *settled;
  attempt.pending = pending_recipients(*stored, {}, *settled);
  if (change_.is_reported && !report(attempt)) return false;

  for (const auto& standing : places) {
    operations_.push_back(spool::remove(standing.family, standing.key));
    if (standing.family == Family::due) moves_.push_back({standing.place, std::nullopt});
  }
  operations_.push_back(spool::remove(Family::envelope, spool::id_key(id)));
  for (std::uint32_t chunk = 0; chunk < stored->chunks; ++chunk)
    operations_.push_back(spool::remove(Family::content, spool::indexed_key(id, chunk)));
  for (const auto& [recipient, result] : *settled)
    operations_.push_back(spool::remove(Family::result, spool::indexed_key(id, recipient)));
  const auto signature = context_.store.signature(id);
  if (signature || signature.error().code == Errc::corrupt)
    operations_.push_back(spool::remove(Family::signature, spool::id_key(id)));
  (is_dead_letter ? failed_less_ : waiting_less_).add(stored->envelope.size);
  std::vector<std::string> recipients;
  for (const auto index : attempt.pending) recipients.push_back(stored->envelope.recipients[index].to_text());
  if (is_dead_letter) recipients = to_texts(stored->envelope.recipients);
  records_.push_back(log::warning("deletion")
                       .with("queue_id", id.to_text())
                       .with("sender", stored->envelope.reverse_path.to_text())
                       .with("recipients", recipients)
                       .with("size", stored->envelope.size)
                       .with("state", state_of(places.front()))
                       .with("by", change_.by)
                       .with("reason", change_.reason)
                       .with("sender_is_told", change_.is_reported && !attempt.pending.empty()));
  return true;
}

/// False when its original could not be read just now.
bool QueueBatch::report(const Attempt& attempt) {
  if (attempt.pending.empty()) return true;
  Bounce bounce;
  bounce.ended.attempt = attempt;
  bounce.ended.outcome = deleted(attempt);
  if (reports_.is_wanted(attempt, bounce.ended.outcome)) {
    auto made = reports_.report(attempt, bounce.ended.outcome, "");
    if (!made) return false;
    bounce.reported = std::move(*made);
  }
  const auto& more = bounce.reported.operations;
  operations_.insert(operations_.end(), more.begin(), more.end());
  bounces_.push_back(std::move(bounce));
  return true;
}

void QueueBatch::announce(Dispatcher& dispatcher) const {
  dispatcher.announce(new_);
  for (const auto& bounce : bounces_) {
    for (const auto& message : bounce.reported.messages) dispatcher.announce(message.places);
  }
}

void QueueBatch::settle(Dispatcher& dispatcher, Admission& admission, bool is_written) {
  const auto give_back = [&](const Place& place) { dispatcher.accepted({place.item.key.id, {place}, {}}); };
  for (const auto& place : left_) give_back(place);
  dispatcher.withdraw(vanished_);
  for (const auto& move : moves_) {
    if (!is_written) give_back(move.before);
    else if (move.after) give_back(*move.after);
    else dispatcher.withdraw({move.before});
  }
  if (!is_written) dispatcher.withdraw(new_);
  for (const auto& bounce : bounces_) {
    for (const auto& message : bounce.reported.messages) {
      if (!is_written) dispatcher.withdraw(message.places);
      else admission.add_waiting(1, message.fresh.stored.envelope.size);
      if (is_written) dispatcher.accepted(message);
    }
  }
  if (!is_written) return;
  for (const auto& place : new_) give_back(place);
  admission.remove_waiting(waiting_less_.messages, waiting_less_.octets);
  admission.add_waiting(waiting_more_.messages, waiting_more_.octets);
  admission.remove_failed(failed_less_.messages, failed_less_.octets);
  for (const auto& [ended, reported] : bounces_) {
    log_outcome(context_, context_.committer_counters, ended, {});
    log_reports(context_, context_.committer_counters, ended.attempt, reported);
  }
  for (const auto& record : records_) context_.log.write(record);
}

}  // namespace relay::engine
