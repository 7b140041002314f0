/// How destinations take turns: one message each, as long as there is leave.

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

#include "relay/queue/scheduler.hpp"

namespace relay::queue {

/// The messages that start, by queue and shard.
struct Scheduler::Starts {
  struct Batch {
    DestinationQueue* queue;
    schedule_step::Start step;
  };
  std::vector<Batch> batches;
  std::map<std::tuple<DestinationQueue*, Lane, std::size_t>, std::size_t> places;

  void add(DestinationQueue& queue, Lane lane, std::size_t shard, const Item& item) {
    const auto [place, is_new] = places.emplace(std::tuple{&queue, lane, shard}, batches.size());
    if (is_new) batches.push_back({&queue, {queue.name(lane), shard, {}, 0}});
    batches[place->second].step.items.push_back(item);
  }
};

/// Those who have waited for a shared limit go before those who come.
void Scheduler::take_turns(const Now& now, std::vector<ScheduleStep>& steps) {
  Starts starts;
  for (auto* provider : noted_providers_) wake_waiting(provider, now.steady);
  wake_waiting(nullptr, now.steady);
  while (!ring_.empty() && started_ < limits_.max_in_flight) {
    auto& at = *ring_.front();
    ring_.pop_front();
    at.place = Place::none;
    auto* provider = at.provider;
    if (provider) noted_providers_.insert(provider);
    const auto woken_from = at.woken_from;
    const auto place = take_turn(at, now, starts);
    at.woken_from = Place::none;
    if (place != Place::none) put(at, place, place == woken_from);
    if (place == Place::none) plan_loads(at, now, steps);  // what started may have left its windows low
    if (place != Place::ring) rest(at, now);
    wake_waiting(provider, now.steady);
  }
  for (auto& [queue, step] : starts.batches) {
    step.max_connections = queue->loads.at(step.shard).slots;
    steps.emplace_back(std::move(step));
  }
}

/// Starts one message of it, or not. Where it belongs now: the ring when it did, or where it waits.
Scheduler::Place Scheduler::take_turn(DestinationQueue& queue, const Now& now, Starts& starts) {
  ++visits_;
  const auto lane = queue.next_lane(now.wall);
  const bool has_permit = queue.loads.in_flight() < queue.health.permits(now.steady);
  if (!lane || !has_permit || !queue.may_start(now.steady) || !queue.messages.has_token(now.steady))
    return Place::none;
  const bool was_woken = queue.woken_from != Place::none;
  if (const auto* provider = queue.provider) {
    const bool has_others_before = !was_woken && !provider->for_messages.empty();
    if (has_others_before || !provider->has_message(now.steady)) return Place::provider_messages;
  }
  const auto choice = choose_shard(queue, now.steady, was_woken);
  if (!choice.shard) return choice.waits_at;
  start(queue, *lane, choice, now, starts);
  return Place::ring;
}

/// A connection that is idle, else one more, else behind another message; among equals where least is in flight.
Scheduler::Choice Scheduler::choose_shard(const DestinationQueue& queue, SteadyTime now, bool was_woken)
  const {
  const auto& loads = queue.loads;
  const auto least_loaded = [&](auto&& is_fit) {
    std::optional<std::size_t> best;
    for (std::size_t shard = 0; shard < loads.shards(); ++shard) {
      if (!is_fit(loads.at(shard))) continue;
      const auto load = [&](std::size_t at) { return std::pair{loads.at(at).in_flight, started_on_[at]}; };
      if (!best || load(shard) < load(*best)) best = shard;
    }
    return best;
  };
  using Load = ShardLoads::Load;
  if (const auto idle = least_loaded([](const Load& at) { return at.ready > at.in_flight; })) return {idle};
  const bool may_grow = loads.slots() < queue.health.connections(now) && queue.connections.has_token(now);
  const auto blocked = may_grow ? blocked_at(queue, was_woken) : Place::none;
  if (may_grow && blocked == Place::none) return {least_loaded([](const Load&) { return true; }), true};
  const auto behind = least_loaded([](const Load& at) { return at.in_flight < 2 * at.slots; });
  // One that has connections goes on when a message of its own ends: it need not wait for others to.
  return {behind, false, loads.slots() == 0 ? blocked : Place::none};
}

/// Which shared limit keeps it from one more connection.
Scheduler::Place Scheduler::blocked_at(const DestinationQueue& queue, bool was_woken) const {
  const auto is_blocked = [&](bool has_room, const WaitingLine& line) {
    return !has_room || (!was_woken && !line.empty());
  };
  const auto* provider = queue.provider;
  if (provider && is_blocked(provider->has_connection(), provider->for_connections))
    return Place::provider_connections;
  if (is_blocked(connections_ < limits_.max_connections_total, for_connections_)) return Place::connections;
  return Place::none;
}

void Scheduler::start(
  DestinationQueue& queue, Lane lane, const Choice& choice, const Now& now, Starts& starts
) {
  const auto item = queue.take(lane, now.wall);
  if (!item) return;
  const auto shard = *choice.shard;
  queue.loads.start(shard, choice.is_new);
  recount_loads(queue);
  ++started_on_[shard];
  if (choice.is_new) queue.connections.take(now.steady);
  queue.messages.take(now.steady);
  if (queue.provider) queue.provider->messages.take(now.steady);
  starts.add(queue, lane, shard, *item);
  recount(queue);
}

// ---- waiting lines ----

WaitingLine& Scheduler::line(DestinationQueue& queue, Place place) {
  if (place == Place::provider_messages) return queue.provider->for_messages;
  if (place == Place::provider_connections) return queue.provider->for_connections;
  return place == Place::connections ? for_connections_ : ring_;
}

void Scheduler::put(DestinationQueue& queue, Place place, bool in_front) {
  auto& at = line(queue, place);
  if (in_front) at.push_front(&queue);
  else at.push_back(&queue);
  queue.place = place;
}

void Scheduler::wake_one(WaitingLine& line) {
  if (line.empty()) return;
  auto& at = *line.front();
  line.pop_front();
  at.woken_from = at.place;
  put(at, Place::ring, true);  // before those who have just come take what it waited for
}

/// One of each line: the next is woken when it has had its turn.
void Scheduler::wake_waiting(Provider* provider, SteadyTime now) {
  if (connections_ < limits_.max_connections_total) wake_one(for_connections_);
  if (!provider) return;
  if (provider->has_connection()) wake_one(provider->for_connections);
  if (provider->has_message(now)) wake_one(provider->for_messages);
}

}  // namespace relay::queue
