#include "relay/engine/dispatcher.hpp"

/// Messages whose routes have changed since they were queued, or which the mode of the relay keeps in now.

#include <algorithm>
#include <utility>

#include "relay/engine/records.hpp"

namespace relay::engine {

namespace {

/// As the queue's schedule has it behind the wait that has just ended: what is postponed counts no attempts.
milliseconds next_wait(const queue::RetrySchedule& schedule, const queue::Item& item) {
  const auto failures = queue::failure_behind(schedule, item.key.due - item.scheduled);
  const auto chance = static_cast<double>(item.key.id.number % 1000) / 1000;
  return queue::retry_delay(schedule, failures, chance);
}

/// Whether a share of the message stands in this queue, waiting or held; also when that can't be read now.
bool has_share(const spool::Store& store, const QueueId& id, const queue::QueueName& queue) {
  for (const auto family : {spool::Family::due, spool::Family::held}) {
    const auto found = store.places_of(family, id, queue.to_key());
    if (!found || !found->empty()) return true;
  }
  return false;
}

/// Recipients of an attempt, by whether the mode lets them out.
struct ByMode {
  std::vector<std::uint32_t> leaving;
  std::vector<std::uint32_t> kept;
};
ByMode by_mode(const policy::Guard& guard, const Attempt& attempt) {
  ByMode by;
  for (const auto index : attempt.pending)
    (may_leave(guard, attempt, index) ? by.leaving : by.kept).push_back(index);
  return by;
}

std::vector<std::string> texts_of(const Attempt& attempt, const std::vector<std::uint32_t>& recipients) {
  std::vector<std::string> texts;
  for (const auto index : recipients) texts.push_back(attempt.stored.envelope.recipients[index].to_text());
  return texts;
}

}  // namespace

bool may_leave(const policy::Guard& guard, const Attempt& attempt, std::uint32_t recipient) {
  return attempt.place.is_released || policy::lets_out(guard, attempt.stored.envelope.recipients[recipient]);
}

bool may_leave(const policy::Guard& guard, const Attempt& attempt) {
  return guard.mode == policy::Mode::deliver ||
         std::all_of(attempt.pending.begin(), attempt.pending.end(), [&](std::uint32_t index) {
           return may_leave(guard, attempt, index);
         });
}

bool Dispatcher::may_start(const Attempt& attempt) const {
  return may_leave(context_.limits.limits()->guard, attempt) && is_in_its_queue(attempt);
}

bool Dispatcher::is_in_its_queue(const Attempt& attempt) const {
  const auto& envelope = attempt.stored.envelope;
  const auto& destination = attempt.place.queue.destination;
  const auto routes = context_.limits.limits()->routes;
  return std::all_of(attempt.pending.begin(), attempt.pending.end(), [&](std::uint32_t index) {
    return routed_anew(*routes, envelope, index, destination) == destination;
  });
}

/// Others of its recipients may be on their way to the same queue: one after the other.
void Dispatcher::reroute(const Attempt& attempt, std::size_t shard) {
  if (!attempt.is_divided()) return move(attempt, shard);
  shares_.enter(attempt.id(), [this, attempt, shard] {
    net::asio::post(context_.workers, [this, attempt, shard] { move(attempt, shard); });
  });
}

void Dispatcher::leave(const Attempt& attempt) {
  if (attempt.is_divided()) shares_.leave(attempt.id());
}

/// A place on hold for recipients that the mode keeps in. Nothing: the spool could not be read just now.
std::optional<Place> Dispatcher::captured_place(
  const Attempt& attempt, const std::vector<std::uint32_t>& kept
) const {
  auto place = attempt.place;
  place.is_released = false;
  place.share = kept;
  if (attempt.is_divided()) return with_free_held_key(context_.store, std::move(place));
  if (kept.size() == attempt.stored.envelope.recipients.size()) place.share.clear();
  return place;
}

/// Gives its recipients places where the present routes lead, or on hold where the mode keeps them in. A queue holds a
/// message once: while others of its recipients wait there already, or are held, these stay where they are and ask again
/// later.
void Dispatcher::move(const Attempt& attempt, std::size_t shard) {
  const auto limits = context_.limits.limits();
  const auto by = by_mode(limits->guard, attempt);
  auto split =
    split_anew(*limits->routes, attempt.stored.envelope, by.leaving, attempt.place.queue.destination);
  std::vector<Place> places;
  bool is_taken = false;
  for (auto& [destination, recipients] : split) {
    Place place{{destination, attempt.place.queue.lane}, attempt.place.item, std::move(recipients)};
    place.item.key.due = now().wall;
    if (place.item.key.due == attempt.place.item.key.due) place.item.key.due += milliseconds{1};
    place.item.scheduled = now().wall;
    place.is_released = attempt.place.is_released;
    const bool is_whole = split.size() == 1 && by.kept.empty() && !attempt.is_divided();
    if (is_whole) place.share.clear();
    if (attempt.is_divided() && place.queue != attempt.place.queue)
      is_taken = is_taken || has_share(context_.store, attempt.id(), place.queue);
    places.push_back(std::move(place));
  }
  if (is_taken) return postpone(attempt, shard);
  spool::Operations operations{spool::remove(spool::Family::due, key_of(attempt.place))};
  for (const auto& place : places) operations.push_back(put_place(place));
  if (!by.kept.empty()) {
    const auto captured = captured_place(attempt, by.kept);
    if (!captured) {
      leave(attempt);
      return in_a_moment([this, attempt, shard] { put_back(attempt, shard); });
    }
    operations.push_back(put_captured(*captured, policy::why_captured(limits->guard)));
  }
  announce(places);
  auto done = [this, attempt, shard, places, limits, kept = by.kept](const Result<void>& result) {
    leave(attempt);
    if (!result) {
      withdraw(places);
      return in_a_moment([this, attempt, shard] { put_back(attempt, shard); });
    }
    finished(attempt, shard, std::nullopt);
    accepted({attempt.id(), places, {}});
    if (!kept.empty()) note_captured(attempt, kept, limits->guard);
  };
  context_.committer.submit({std::move(operations), spool::Sync::yes, std::move(done)});
}

/// Behind the commit that captured them, on the committer's thread.
void Dispatcher::note_captured(
  const Attempt& attempt, const std::vector<std::uint32_t>& kept, const policy::Guard& guard
) {
  context_.committer_counters.add(metrics::Counter::recipients_captured, kept.size());
  context_.log.write(
    with_attempt(log::info("capture"), attempt, texts_of(attempt, kept), context_.clock.now())
      .with("mode", policy::to_text(guard.mode))
      .with("message", "the mode of the relay keeps it in: it is on hold until it is released or deleted")
  );
}

void Dispatcher::postpone(const Attempt& attempt, std::size_t shard) {
  const auto shape = context_.shapes.shape(attempt.place.queue.destination, attempt.provider);
  auto place = attempt.place;
  place.item.scheduled = now().wall;
  place.item.key.due = place.item.scheduled + next_wait(shape.retry, attempt.place.item);
  if (place.item.key.due == attempt.place.item.key.due) place.item.key.due += milliseconds{1};
  auto done = [this, attempt, shard, item = place.item](const Result<void>& result) {
    leave(attempt);
    if (!result) return in_a_moment([this, attempt, shard] { put_back(attempt, shard); });
    finished(attempt, shard, item);
  };
  const auto last = "waits for others of its recipients to leave the queue that it belongs to";
  context_.committer.submit(
    {{spool::remove(spool::Family::due, key_of(attempt.place)), put_place(place, last)},
     spool::Sync::no,
     std::move(done)}
  );
}

}  // namespace relay::engine
