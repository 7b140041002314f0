#include "operator/runtime/work_queue.hpp"

#include <algorithm>

namespace op::runtime {
namespace {

constexpr milliseconds kFirstDelay{5};
constexpr milliseconds kLongestDelay = seconds{1000};

}  // namespace

milliseconds failure_delay(unsigned failures) {
  // 2^18 * 5 ms is already longer than the longest.
  const auto doublings = std::min(failures == 0 ? 0U : failures - 1, 18U);
  return std::min(kFirstDelay * (1U << doublings), kLongestDelay);
}

void WorkQueue::add(const Key& key, SteadyTime now) {
  if (!waiting_.emplace(key, now).second) return;
  if (!active_.contains(key)) ready_.push_back(key);
}

void WorkQueue::add_after(const Key& key, milliseconds delay, SteadyTime now) {
  if (delay <= milliseconds{0}) return add(key, now);
  const auto due = now + delay;
  const auto found = delayed_.find(key);
  if (found != delayed_.end()) {
    if (found->second <= due) return;
    delays_.erase({found->second, key});
    delayed_.erase(found);
  }
  delayed_.emplace(key, due);
  delays_.emplace(due, key);
}

void WorkQueue::retry(const Key& key, SteadyTime now) {
  add_after(key, std::max(failure_delay(++failures_[key]), retries_.reserve(now)), now);
}

void WorkQueue::ripen(SteadyTime now) {
  while (!delays_.empty() && delays_.begin()->first <= now) {
    const auto [due, key] = *delays_.begin();
    delays_.erase(delays_.begin());
    delayed_.erase(key);
    add(key, due);
  }
}

std::optional<WorkQueue::Taken> WorkQueue::take(SteadyTime now) {
  ripen(now);
  if (ready_.empty()) return std::nullopt;
  auto key = std::move(ready_.front());
  ready_.pop_front();
  const auto since = waiting_.find(key);
  const auto waited = std::chrono::duration_cast<milliseconds>(now - since->second);
  waiting_.erase(since);
  active_.insert(key);
  return Taken{std::move(key), waited};
}

void WorkQueue::done(const Key& key, SteadyTime now) {
  active_.erase(key);
  const auto again = waiting_.find(key);
  if (again == waiting_.end()) return;
  again->second = now;
  ready_.push_back(key);
}

std::optional<SteadyTime> WorkQueue::wake_at() const {
  if (!ready_.empty()) return waiting_.at(ready_.front());
  if (delays_.empty()) return std::nullopt;
  return delays_.begin()->first;
}

}  // namespace op::runtime
