#include "relay/queue/scheduler.hpp"

#include <algorithm>
#include <utility>

namespace relay::queue {

Scheduler::Scheduler(SchedulerLimits limits, const ShapeSource& shapes, Jitter& jitter)
    : limits_(limits), shapes_(shapes), jitter_(jitter) {
  limits_.shards = std::max<std::size_t>(limits_.shards, 1);
  started_on_.resize(limits_.shards);
}

DestinationQueue* Scheduler::find(const Destination& destination) {
  const auto found = queues_.find(destination);
  return found == queues_.end() ? nullptr : found->second.get();
}

DestinationQueue& Scheduler::queue(const Destination& destination) {
  if (auto* known = find(destination)) return *known;
  auto fresh =
    std::make_unique<DestinationQueue>(destination, limits_.shards, shapes_.shape(destination, ""));
  return *queues_.emplace(destination, std::move(fresh)).first->second;
}

Backlog& Scheduler::backlog(const QueueName& name) {
  return queue(name.destination).make_lane(name.lane, Backlog::OnDisk::nothing);
}

void Scheduler::note(DestinationQueue& queue) {
  recount(queue);
  if (std::exchange(queue.is_noted, true)) return;
  noted_.push_back(&queue);
}

void Scheduler::recount(DestinationQueue& queue) {
  const auto reserved = queue.reserved_in_memory();
  const auto flights = queue.in_flight();
  reserved_ = reserved_ - queue.reserved + reserved;
  in_flight_ = in_flight_ - queue.flights + flights;
  queue.reserved = reserved;
  queue.flights = flights;
  if (reserved + flights > 0) busy_.insert(&queue);
  else busy_.erase(&queue);
}

/// What more may be read into memory. Of what cannot start now, half of it: others can make use of it.
std::size_t Scheduler::room(bool may_start) const {
  const auto budget = may_start ? limits_.max_in_memory : limits_.max_in_memory / 2;
  return budget - std::min(budget, reserved_);
}

/// How many messages a lane may have in memory when one more comes.
std::size_t Scheduler::window_for_more(const DestinationQueue& queue, SteadyTime now) const {
  return room(queue.may_start(now)) > 0 ? queue.useful_window(now) : 0;
}

// ---- what is on disk ----

void Scheduler::add(const QueueName& name) {
  auto& at = queue(name.destination);
  (void)at.make_lane(name.lane, Backlog::OnDisk::unknown);
  note(at);
}

void Scheduler::announce(const QueueName& name, const QueueId& id) { backlog(name).announce(id); }

void Scheduler::withdraw(const QueueName& name, const QueueId& id) {
  backlog(name).withdraw(id);
  note(queue(name.destination));
}

bool Scheduler::admit(const QueueName& name, const Item& item, const Now& now) {
  auto& at = queue(name.destination);
  const bool is_in_memory = backlog(name).admit(item, now.wall, window_for_more(at, now.steady));
  note(at);
  return is_in_memory;
}

void Scheduler::loaded(
  const QueueName& name, const std::vector<Item>& items, std::optional<WallTime> next_due
) {
  backlog(name).loaded(items, next_due);
  note(queue(name.destination));
}

// ---- messages in flight ----

/// Keeps the sums over all destinations and over those of its provider.
void Scheduler::recount_loads(DestinationQueue& queue) {
  const auto slots = queue.loads.slots();
  started_ = started_ - queue.started + queue.loads.in_flight();
  connections_ = connections_ - queue.slots + slots;
  if (queue.provider) queue.provider->connections = queue.provider->connections - queue.slots + slots;
  queue.started = queue.loads.in_flight();
  queue.slots = slots;
}

void Scheduler::end_flight(DestinationQueue& queue, std::size_t shard) {
  if (queue.loads.at(shard).in_flight == 0) return;
  --started_on_[shard];
  queue.loads.end(shard);
  recount_loads(queue);
}

void Scheduler::finished(const QueueName& name, const QueueId& id, std::size_t shard) {
  auto* at = find(name.destination);
  if (!at) return;
  if (auto* lane = at->lane(name.lane)) lane->finish(id);
  end_flight(*at, shard);
  note(*at);
}

void Scheduler::put_back(const QueueName& name, const QueueId& id, std::size_t shard) {
  auto* at = find(name.destination);
  if (!at) return;
  if (auto* lane = at->lane(name.lane)) lane->put_back(id);
  if (at->loads.at(shard).in_flight > 0) {  // its tokens were not used
    at->messages.give_back();
    if (at->provider) at->provider->messages.give_back();
  }
  end_flight(*at, shard);
  note(*at);
}

bool Scheduler::moved(const QueueName& name, const Item& item, const Now& now) {
  auto& at = queue(name.destination);
  const bool is_in_memory = backlog(name).moved(item, now.wall, window_for_more(at, now.steady));
  note(at);
  return is_in_memory;
}

void Scheduler::release(const Destination& destination, std::size_t shard) {
  auto* at = find(destination);
  if (!at) return;
  end_flight(*at, shard);
  note(*at);
}

// ---- next hops ----

void Scheduler::judged(const Destination& destination) {
  auto* at = find(destination);
  if (!at) return;
  at->health.judged(at->loads.slots());
  note(*at);
}

void Scheduler::connection_ready(const Destination& destination, std::size_t shard) {
  auto& at = queue(destination);
  at.health.connection_ready();
  if (at.loads.connection_ready(shard)) ++at.unpaid;
  recount_loads(at);
  note(at);
}

void Scheduler::connection_closed(const Destination& destination, std::size_t shard) {
  auto* at = find(destination);
  if (!at) return;
  at->health.connection_closed();
  at->loads.connection_closed(shard);
  recount_loads(*at);
  note(*at);
}

void Scheduler::hop_failed(const Destination& destination, std::string why, const Now& now) {
  auto& at = queue(destination);
  at.health.hop_failed(at.shape.retry, std::move(why), now.steady, jitter_.fraction());
  note(at);
}

void Scheduler::resolved(
  const Destination& destination, const std::string& provider, SteadyTime valid_until
) {
  auto* at = find(destination);
  if (!at) return;
  at->is_asking = false;
  at->needs_provider = false;
  at->provider_valid_until = valid_until;
  const bool is_same = at->provider ? at->provider->name == provider : provider.empty();
  if (!is_same) {
    leave_provider(*at);
    join_provider(*at, provider);
    at->set_shape(shapes_.shape(destination, provider));
  }
  note(*at);
}

// ---- people ----

void Scheduler::reload() {
  for (auto& [destination, at] : queues_) {
    at->set_shape(shapes_.shape(destination, at->provider ? at->provider->name : ""));
    note(*at);
  }
  for (auto& [name, provider] : providers_) shape_provider(*provider);
}

void Scheduler::set_limits(const SchedulerLimits& limits) {
  const auto shards = limits_.shards;
  limits_ = limits;
  limits_.shards = shards;
}

void Scheduler::hurry(const Destination& destination, const Now& now) {
  auto* at = find(destination);
  if (!at) return;
  at->health.resume();
  for (const auto lane : kLanes) {
    if (auto* backlog = at->lane(lane)) backlog->hurry(now.wall);
  }
  note(*at);
}

void Scheduler::hurry_all(const Now& now) {
  std::vector<Destination> all;
  for (const auto& [destination, queue] : queues_) all.push_back(destination);
  for (const auto& destination : all) hurry(destination, now);
}

void Scheduler::renew_all(const Now& now) {
  for (const auto& [destination, queue] : queues_) queue->health.renew();
  hurry_all(now);
}

Whereabouts Scheduler::hurry_one(const QueueName& name, const QueueId& id) {
  const auto where = backlog(name).hurry_one(id);
  note(queue(name.destination));
  return where;
}

bool Scheduler::forget(const QueueName& name, const QueueId& id) {
  const bool is_in_flight = backlog(name).forget(id);
  note(queue(name.destination));
  return is_in_flight;
}

void Scheduler::suspend(const Destination& destination, std::optional<SteadyTime> until) {
  auto& at = queue(destination);
  at.is_held = true;
  at.held_until = until;
  note(at);
}

void Scheduler::unsuspend(const Destination& destination) {
  auto* at = find(destination);
  if (!at) return;
  at->is_held = false;
  at->held_until.reset();
  note(*at);
}

// ---- what to do ----

std::vector<ScheduleStep> Scheduler::plan(const Now& now) {
  std::vector<ScheduleStep> steps;
  if (is_paused_) return steps;
  take_wakes(now.steady);
  for (auto* at : std::exchange(noted_, {})) look_at(*at, now, steps);
  take_turns(now, steps);
  for (auto* provider : std::exchange(noted_providers_, {})) settle_provider(*provider, now.steady);
  return steps;
}

void Scheduler::take_wakes(SteadyTime now) {
  while (!wakes_.empty() && wakes_.begin()->first <= now) {
    auto& at = *wakes_.begin()->second;
    set_wake(at, std::nullopt);
    note(at);
  }
  while (!provider_wakes_.empty() && provider_wakes_.begin()->first <= now) {
    auto* provider = provider_wakes_.begin()->second;
    provider_wakes_.erase(provider_wakes_.begin());
    provider->wake.reset();
    noted_providers_.insert(provider);
  }
}

std::optional<SteadyTime> Scheduler::wake_at(const Now& now) const {
  if (is_paused_) return std::nullopt;
  const bool has_turns = !ring_.empty() && started_ < limits_.max_in_flight;
  if (has_turns || !noted_.empty() || !noted_providers_.empty()) return now.steady;
  std::optional<SteadyTime> next;
  const auto consider = [&](SteadyTime at) { next = std::min(next.value_or(at), at); };
  if (!wakes_.empty()) consider(wakes_.begin()->first);
  if (!provider_wakes_.empty()) consider(provider_wakes_.begin()->first);
  return next;
}

// ---- what is going on ----

bool Scheduler::has_work(const Now& now) const {
  return !is_paused_ && std::any_of(queues_.begin(), queues_.end(), [&](const auto& entry) {
    return entry.second->has_work(now);
  });
}

template <class Visit>
void Scheduler::for_each_with(std::string_view prefix, Visit visit) const {
  const Destination first{std::string(prefix)};
  for (auto at = queues_.lower_bound(first); at != queues_.end() && at->first.name.starts_with(prefix); ++at)
    visit(*at->second);
}

std::string Scheduler::failing(std::string_view prefix) const {
  std::string name;
  for_each_with(prefix, [&](const DestinationQueue& queue) {
    if (name.empty() && queue.health.is_failing() && queue.has_mail()) name = queue.destination.name;
  });
  return name;
}

std::vector<Destination> Scheduler::served(std::string_view prefix, const Now& now) const {
  std::vector<Destination> found;
  for_each_with(prefix, [&](const DestinationQueue& queue) {
    if (queue.has_mail() && !queue.is_held_at(now.steady)) found.push_back(queue.destination);
  });
  return found;
}

DestinationState Scheduler::describe(const DestinationQueue& queue, const Now& now) {
  DestinationState state;
  state.destination = queue.destination;
  for (const auto lane : kLanes) {
    const auto* backlog = queue.lane(lane);
    state.waiting_in_memory[static_cast<std::size_t>(lane)] = backlog ? backlog->waiting() : 0;
  }
  state.in_flight = queue.in_flight();
  state.connections_ready = queue.health.ready();
  state.concurrency_window = queue.health.window();
  state.suspended_until = queue.health.suspended_until();
  state.is_suspended = queue.is_held_at(now.steady);
  state.last_failure = queue.health.last_failure();
  if (queue.provider) state.provider = queue.provider->name;
  state.next_due = queue.next_due(now);
  state.oldest_arrival = queue.oldest_arrival();
  return state;
}

std::vector<DestinationState> Scheduler::states(const Now& now, std::size_t limit) const {
  std::vector<std::pair<std::size_t, const DestinationQueue*>> order;
  order.reserve(busy_.size());
  for (const auto* at : busy_) order.emplace_back(at->waiting(), at);
  const auto count = std::min(limit, order.size());
  const auto middle = order.begin() + static_cast<std::ptrdiff_t>(count);
  std::partial_sort(order.begin(), middle, order.end(), [](const auto& left, const auto& right) {
    if (left.first != right.first) return left.first > right.first;
    return left.second->destination < right.second->destination;
  });
  std::vector<DestinationState> states;
  for (auto at = order.begin(); at != middle; ++at) states.push_back(describe(*at->second, now));
  for (auto at = queues_.begin(); at != queues_.end() && states.size() < limit; ++at) {
    if (!busy_.contains(at->second.get())) states.push_back(describe(*at->second, now));
  }
  return states;
}

std::optional<DestinationState> Scheduler::state(const Destination& destination, const Now& now) const {
  const auto found = queues_.find(destination);
  if (found == queues_.end()) return std::nullopt;
  return describe(*found->second, now);
}

}  // namespace relay::queue
