#include "relay/queue/destination_queue.hpp"

#include <algorithm>
#include <utility>

namespace relay::queue {
namespace {

/// So many in memory for each message that may be in flight: disk is read some times a second, not for each.
constexpr std::size_t kWindowPerPermit = 16;
/// What is worth reading from disk at once, and enough to find what is too old.
constexpr std::size_t kMinWindow = 20;

/// A due time further ahead was written by a clock that has since been set back.
/// No retry is that far ahead, but a report may be that must not flood its receiver.
milliseconds longest_wait(const RetrySchedule& retry) { return std::max(2 * retry.max, retry.max_age); }

template <class Time>
void consider(std::optional<Time>& earliest, std::optional<Time> other) {
  if (other) earliest = std::min(earliest.value_or(*other), *other);
}

}  // namespace

DestinationQueue::DestinationQueue(Destination name, std::size_t shards, Shape its_shape)
    : destination(std::move(name)),
      shape(its_shape),
      health(shape.max_connections),
      messages(shape.message_rate),
      connections(shape.connection_rate),
      loads(shards),
      needs_provider(destination.name.starts_with("mx/")) {}

Backlog& DestinationQueue::make_lane(Lane which, Backlog::OnDisk on_disk) {
  auto& at = lanes_[static_cast<std::size_t>(which)];
  if (!at) at = std::make_unique<Backlog>(longest_wait(shape.retry), on_disk);
  return *at;
}

void DestinationQueue::set_shape(Shape its_shape) {
  shape = its_shape;
  health.set_max_connections(shape.max_connections);
  messages.set_rate(shape.message_rate);
  connections.set_rate(shape.connection_rate);
  for (auto& backlog : lanes_) {
    if (backlog) backlog->allow_waits_of(longest_wait(shape.retry));
  }
}

bool DestinationQueue::may_start(SteadyTime now) const {
  return !needs_provider && !is_held_at(now) && !health.is_suspended(now);
}

std::size_t DestinationQueue::useful_window(SteadyTime now) const {
  if (!may_start(now)) return kMinWindow;
  return std::clamp(2 * health.window() * kWindowPerPermit, kMinWindow, kWindow);
}

std::optional<Lane> DestinationQueue::next_lane(WallTime now) const {
  const auto has_due = [&](Lane which) { return lane(which) && lane(which)->has_due(now); };
  const bool is_bulk_due = has_due(Lane::bulk);
  if (has_due(Lane::normal) && (!is_bulk_due || normal_in_a_row_ + 1 < kBulkTurn)) return Lane::normal;
  return is_bulk_due ? std::optional(Lane::bulk) : std::nullopt;
}

std::optional<Item> DestinationQueue::take(Lane which, WallTime now) {
  const auto* bulk = lane(Lane::bulk);
  const bool passes_bulk = which == Lane::normal && bulk && bulk->has_due(now);
  normal_in_a_row_ = passes_bulk ? normal_in_a_row_ + 1 : 0;
  return lane(which)->take(now);
}

bool DestinationQueue::has_work(const Now& now) const {
  if (is_held_at(now.steady) || health.is_failing()) return false;
  const bool is_coming = std::any_of(lanes_.begin(), lanes_.end(), [](const auto& backlog) {
    return backlog && backlog->is_coming();
  });
  const auto due = next_due(now);
  return in_flight() > 0 || is_coming || (due && *due <= now.wall);
}

bool DestinationQueue::has_mail() const {
  return std::any_of(lanes_.begin(), lanes_.end(), [](const auto& backlog) {
    return backlog && !backlog->is_empty();
  });
}

std::size_t DestinationQueue::waiting() const {
  std::size_t sum = 0;
  for (const auto& backlog : lanes_) sum += backlog ? backlog->waiting() : 0;
  return sum;
}

std::size_t DestinationQueue::reserved_in_memory() const {
  std::size_t sum = 0;
  for (const auto& backlog : lanes_) sum += backlog ? backlog->reserved() : 0;
  return sum;
}

std::size_t DestinationQueue::in_flight() const {
  std::size_t sum = 0;
  for (const auto& backlog : lanes_) sum += backlog ? backlog->in_flight() : 0;
  return sum;
}

std::optional<WallTime> DestinationQueue::next_due(const Now& now) const {
  std::optional<WallTime> next;
  for (const auto& backlog : lanes_) {
    if (backlog) consider(next, backlog->next_due(now.wall, useful_window(now.steady)));
  }
  return next;
}

std::optional<WallTime> DestinationQueue::oldest_arrival() const {
  std::optional<WallTime> oldest;
  for (const auto& backlog : lanes_) {
    if (backlog) consider(oldest, backlog->oldest_arrival());
  }
  return oldest;
}

std::optional<WallTime> DestinationQueue::oldest_unwarned() const {
  std::optional<WallTime> oldest;
  for (const auto& backlog : lanes_) {
    if (backlog) consider(oldest, backlog->oldest_unwarned());
  }
  return oldest;
}

bool DestinationQueue::wants_late() const {
  return std::any_of(lanes_.begin(), lanes_.end(), [](const auto& backlog) {
    return backlog && backlog->wants_late();
  });
}

std::optional<SteadyTime> DestinationQueue::forgettable_at() const {
  if (has_mail()) return std::nullopt;
  const bool is_in_use = loads.in_flight() > 0 || loads.slots() > 0 || is_asking;
  if (is_in_use || (is_held && !held_until)) return std::nullopt;
  auto at = std::max(messages.full_at(), connections.full_at());
  if (is_held) at = std::max(at, *held_until);
  return std::max(at, health.suspended_until().value_or(at));
}

}  // namespace relay::queue
