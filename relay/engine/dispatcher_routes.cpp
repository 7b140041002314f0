#include "relay/engine/dispatcher.hpp"

/// Messages whose routes have changed since they were queued.

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

}  // namespace

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

/// Gives its recipients places where the present routes lead. A queue holds a message once: while others of its
/// recipients wait there already, or are held, these stay where they are and ask again later.
void Dispatcher::move(const Attempt& attempt, std::size_t shard) {
  const auto routes = context_.limits.limits()->routes;
  auto split = split_anew(*routes, attempt.stored.envelope, attempt.pending, attempt.place.queue.destination);
  std::vector<Place> places;
  bool is_taken = false;
  for (auto& [destination, recipients] : split) {
    Place place{{destination, attempt.place.queue.lane}, attempt.place.item, std::move(recipients)};
    place.item.key.due = now().wall;
    if (place.item.key.due == attempt.place.item.key.due) place.item.key.due += milliseconds{1};
    place.item.scheduled = now().wall;
    const bool is_whole = split.size() == 1 && !attempt.is_divided();
    if (is_whole) place.share.clear();
    if (attempt.is_divided() && place.queue != attempt.place.queue)
      is_taken = is_taken || has_share(context_.store, attempt.id(), place.queue);
    places.push_back(std::move(place));
  }
  if (is_taken) return postpone(attempt, shard);
  spool::Operations operations{spool::remove(spool::Family::due, key_of(attempt.place))};
  for (const auto& place : places) operations.push_back(put_place(place));
  announce(places);
  auto done = [this, attempt, shard, places](const Result<void>& result) {
    leave(attempt);
    if (!result) {
      withdraw(places);
      return in_a_moment([this, attempt, shard] { put_back(attempt, shard); });
    }
    finished(attempt, shard, std::nullopt);
    accepted({attempt.id(), places, {}});
  };
  context_.committer.submit({std::move(operations), spool::Sync::yes, std::move(done)});
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
