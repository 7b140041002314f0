#include "operator/runtime/work_queue.hpp"

#include <algorithm>

namespace op::runtime {
namespace {

constexpr milliseconds kFirstDelay{5};
constexpr milliseconds kLongestDelay = seconds{1000};
/// What comes back behind as much belongs to what happened: a second step of it, or somebody else was faster.
constexpr milliseconds kLongestPromptDelay = seconds{1};

}  // namespace

milliseconds failure_delay(unsigned failures) {
  // 2^18 * 5 ms is already longer than the longest.
  const auto doublings = std::min(failures == 0 ? 0U : failures - 1, 18U);
  return std::min(kFirstDelay * (1U << doublings), kLongestDelay);
}

void WorkQueue::add(const Key& key, SteadyTime now, Priority priority) {
  const Turn turn{priority, turns_++};
  const auto [found, is_new] = waiting_.try_emplace(key, Waiting{now, turn});
  auto& waiting = found->second;
  if (!is_new) {
    if (waiting.turn.first <= priority) return;
    ready_.erase(waiting.turn);
    waiting.turn = turn;
  }
  if (!active_.contains(key)) ready_.emplace(turn, key);
}

void WorkQueue::add_after(const Key& key, milliseconds delay, SteadyTime now) {
  if (delay <= milliseconds{0}) return add(key, now);
  const auto due = now + delay;
  const auto priority = delay <= kLongestPromptDelay ? Priority::prompt : Priority::background;
  const auto found = delayed_.find(key);
  if (found != delayed_.end()) {
    auto& [until, urgency] = found->second;
    if (until <= due) {
      urgency = std::min(urgency, priority);
      return;
    }
    delays_.erase({found->second.due, key});
    delayed_.erase(found);
  }
  delayed_.emplace(key, Delayed{due, priority});
  delays_.emplace(due, key);
}

void WorkQueue::retry(const Key& key, SteadyTime now) {
  add_after(key, std::max(failure_delay(++failures_[key]), retries_.reserve(now)), now);
}

void WorkQueue::ripen(SteadyTime now) {
  while (!delays_.empty() && delays_.begin()->first <= now) {
    const auto [due, key] = *delays_.begin();
    delays_.erase(delays_.begin());
    const auto delayed = delayed_.find(key);
    const auto priority = delayed->second.priority;
    delayed_.erase(delayed);
    add(key, due, priority);
  }
}

std::optional<WorkQueue::Taken> WorkQueue::take(SteadyTime now) {
  ripen(now);
  if (ready_.empty()) return std::nullopt;
  auto key = std::move(ready_.begin()->second);
  ready_.erase(ready_.begin());
  const auto waiting = waiting_.find(key);
  const auto waited = std::chrono::duration_cast<milliseconds>(now - waiting->second.since);
  waiting_.erase(waiting);
  active_.insert(key);
  return Taken{std::move(key), waited};
}

void WorkQueue::done(const Key& key, SteadyTime now) {
  active_.erase(key);
  const auto again = waiting_.find(key);
  if (again == waiting_.end()) return;
  again->second.since = now;
  again->second.turn.second = turns_++;
  ready_.emplace(again->second.turn, key);
}

std::optional<SteadyTime> WorkQueue::wake_at() const {
  if (!ready_.empty()) return waiting_.at(ready_.begin()->second).since;
  if (delays_.empty()) return std::nullopt;
  return delays_.begin()->first;
}

}  // namespace op::runtime
