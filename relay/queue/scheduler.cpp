#include "relay/queue/scheduler.hpp"

#include <algorithm>
#include <numeric>

namespace relay::queue {
namespace {

constexpr milliseconds kExpiryInterval = std::chrono::minutes{1};

/// A due time further ahead was written by a clock that has since been set back.
milliseconds longest_wait(const RetrySchedule& retry) { return 2 * retry.max; }

std::size_t total(const std::vector<std::size_t>& counts) {
  return std::accumulate(counts.begin(), counts.end(), std::size_t{0});
}

}  // namespace

void Scheduler::set_retry(const RetrySchedule& retry) {
  limits_.retry = retry;
  for (auto& [destination, queue] : queues_) queue.backlog.allow_waits_of(longest_wait(retry));
}

Scheduler::Queue& Scheduler::queue(const Destination& destination) {
  const auto found = queues_.find(destination);
  if (found != queues_.end()) return found->second;
  Queue fresh{
    Backlog(longest_wait(limits_.retry)), HopHealth(limits_.shards, limits_.max_connections),
    std::vector<std::size_t>(limits_.shards)
  };
  return queues_.emplace(destination, std::move(fresh)).first->second;
}

bool Scheduler::admit(const Destination& destination, const Item& item, const Now& now) {
  return queue(destination).backlog.admit(item, now.wall);
}

void Scheduler::loaded(
  const Destination& destination, const std::vector<Item>& items, std::optional<WallTime> next_due
) {
  queue(destination).backlog.loaded(items, next_due);
}

void Scheduler::finished(const Destination& destination, const QueueId& id, std::size_t shard) {
  auto& at = queue(destination);
  at.backlog.finish(id);
  forget_in_flight(at, shard);
}

void Scheduler::put_back(const Destination& destination, const QueueId& id, std::size_t shard) {
  auto& at = queue(destination);
  at.backlog.put_back(id);
  forget_in_flight(at, shard);
}

void Scheduler::forget_in_flight(Queue& queue, std::size_t shard) {
  if (shard < queue.in_flight.size() && queue.in_flight[shard] > 0) --queue.in_flight[shard];
}

void Scheduler::connection_ready(const Destination& destination, std::size_t shard) {
  queue(destination).health.connection_ready(shard);
}

void Scheduler::connection_closed(const Destination& destination, std::size_t shard) {
  queue(destination).health.connection_closed(shard);
}

void Scheduler::hop_failed(const Destination& destination, std::string why, const Now& now) {
  queue(destination).health.hop_failed(limits_.retry, std::move(why), now.steady, jitter_.fraction());
}

void Scheduler::resume(const Destination& destination, const Now& now) {
  auto& at = queue(destination);
  at.health.resume();
  at.backlog.hurry(now.wall);
}

std::vector<ScheduleStep> Scheduler::plan(const Now& now) {
  std::vector<ScheduleStep> steps;
  if (is_paused_) return steps;
  plan_expiry(now, steps);
  for (auto& [destination, queue] : queues_) {
    if (auto load = queue.backlog.want_load(now.wall))
      steps.emplace_back(schedule_step::Load{destination, *load});
    plan_starts(destination, queue, now, steps);
  }
  return steps;
}

void Scheduler::plan_expiry(const Now& now, std::vector<ScheduleStep>& steps) {
  if (now.steady < next_expiry_) return;
  next_expiry_ =
    now.steady + std::clamp<milliseconds>(limits_.retry.max_age / 10, milliseconds{100}, kExpiryInterval);
  for (auto& [destination, queue] : queues_) {
    auto expired = queue.backlog.take_older_than(now.wall - limits_.retry.max_age);
    if (!expired.empty()) steps.emplace_back(schedule_step::Expire{destination, std::move(expired)});
  }
}

void Scheduler::plan_starts(
  const Destination& destination, Queue& queue, const Now& now, std::vector<ScheduleStep>& steps
) {
  const auto permits = queue.health.permits(now.steady);
  const bool may_connect = queue.health.may_connect(now.steady);
  std::vector<std::vector<Item>> starts(limits_.shards);
  while (total(queue.in_flight) < permits) {
    const auto shard = choose_shard(queue, may_connect);
    if (!shard) break;
    auto item = queue.backlog.take(now.wall);
    if (!item) break;
    ++queue.in_flight[*shard];
    starts[*shard].push_back(*item);
  }
  for (std::size_t shard = 0; shard < starts.size(); ++shard) {
    if (starts[shard].empty()) continue;
    steps.emplace_back(schedule_step::Start{destination, shard, std::move(starts[shard]), may_connect});
  }
}

/// The shard with the least in flight; while the number of connections must not grow, among those that have
/// one.
std::optional<std::size_t> Scheduler::choose_shard(const Queue& queue, bool may_connect) const {
  std::optional<std::size_t> best;
  for (std::size_t shard = 0; shard < queue.in_flight.size(); ++shard) {
    if (!may_connect && queue.health.ready_on(shard) == 0) continue;
    if (!best || queue.in_flight[shard] < queue.in_flight[*best]) best = shard;
  }
  return best;
}

std::optional<SteadyTime> Scheduler::wake_at(const Now& now) const {
  std::optional<SteadyTime> next;
  const auto consider = [&](SteadyTime at) { next = std::min(next.value_or(at), at); };
  if (is_paused_) return next;
  for (const auto& [destination, queue] : queues_) {
    if (queue.backlog.waiting() > 0) consider(std::max(next_expiry_, now.steady));
    if (queue.health.is_suspended(now.steady)) {
      consider(*queue.health.suspended_until());
    } else if (const auto due = queue.backlog.next_due(now.wall);
               due && total(queue.in_flight) < queue.health.permits(now.steady)) {
      consider(now.steady + (*due - now.wall));
    }
  }
  return next;
}

std::vector<DestinationState> Scheduler::states() const {
  std::vector<DestinationState> states;
  for (const auto& [destination, queue] : queues_) {
    states.push_back(
      {destination, queue.backlog.waiting(), queue.backlog.in_flight(), queue.health.suspended_until(),
       queue.health.last_failure()}
    );
  }
  return states;
}

std::size_t Scheduler::in_flight() const {
  std::size_t sum = 0;
  for (const auto& [destination, queue] : queues_) sum += queue.backlog.in_flight();
  return sum;
}

}  // namespace relay::queue
