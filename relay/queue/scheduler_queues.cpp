/// What the scheduler does with one destination that something happened to, and with its provider.

#include <algorithm>
#include <utility>

#include "relay/queue/scheduler.hpp"

namespace relay::queue {
namespace {

/// Between two searches of what is in memory for what has reached an age.
constexpr milliseconds kAgeInterval = std::chrono::minutes{1};
/// Until a queue that found no room in memory asks again, when nothing happens to it before.
constexpr milliseconds kRoomInterval = std::chrono::seconds{1};
/// What is kept in memory of a destination that cannot start anything: to find what is too old; and when memory is
/// short.
constexpr std::size_t kKept = 20;
constexpr std::size_t kKeptAtLeast = 1;
/// Messages, over all destinations, whose senders are being warned: beyond it no more are read from disk for that.
constexpr std::size_t kLateInFlight = 1000;
/// A damaged time on disk must not overflow.
constexpr milliseconds kLongestSleep = std::chrono::hours{24 * 365};

SteadyTime steady_at(WallTime wall, const Now& now) {
  if (wall <= now.wall) return now.steady;
  return now.steady + (wall > now.wall + kLongestSleep ? kLongestSleep : wall - now.wall);
}

milliseconds search_interval(milliseconds age) {
  return std::clamp<milliseconds>(age / 10, milliseconds{100}, kAgeInterval);
}

}  // namespace

void Scheduler::look_at(DestinationQueue& queue, const Now& now, std::vector<ScheduleStep>& steps) {
  ++visits_;
  queue.is_noted = false;
  if (queue.provider) noted_providers_.insert(queue.provider);
  for (; queue.unpaid > 0; --queue.unpaid) queue.connections.take(now.steady);
  if (!queue.needs_provider) {  // whose mail may be given more time, or less
    plan_expiry(queue, now, steps);
    plan_warnings(queue, now, steps);
  }
  plan_loads(queue, now, steps);
  plan_resolve(queue, now, steps);
  if (queue.place == Place::none && queue.may_start(now.steady) && queue.next_lane(now.wall))
    put(queue, Place::ring, false);
  rest(queue, now);
}

void Scheduler::plan_expiry(DestinationQueue& queue, const Now& now, std::vector<ScheduleStep>& steps) {
  const auto max_age = queue.shape.retry.max_age;
  const auto oldest = queue.oldest_arrival();
  if (!oldest || now.steady < queue.next_expiry || *oldest >= now.wall - max_age) return;
  queue.next_expiry = now.steady + search_interval(max_age);
  for (const auto lane : kLanes) {
    auto* backlog = queue.lane(lane);
    if (!backlog) continue;
    auto expired = backlog->take_older_than(now.wall - max_age);
    if (!expired.empty()) steps.emplace_back(schedule_step::Expire{queue.name(lane), std::move(expired)});
  }
  recount(queue);
}

/// Before plan_loads(): what is late is taken before it may leave the memory.
void Scheduler::plan_warnings(DestinationQueue& queue, const Now& now, std::vector<ScheduleStep>& steps) {
  const auto warn_after = queue.shape.warn_after;
  const bool is_time = warn_after > milliseconds{0} && now.steady >= queue.next_warning;
  for (const auto lane : kLanes) {
    auto* backlog = queue.lane(lane);
    if (!backlog) continue;
    const auto oldest = backlog->oldest_unwarned();
    if (is_time && oldest && *oldest <= now.wall - warn_after) {
      queue.next_warning = now.steady + search_interval(warn_after);
      backlog->look_for_late(now.wall - warn_after);
    }
    auto late = backlog->take_late();
    if (!late.empty()) steps.emplace_back(schedule_step::Warn{queue.name(lane), std::move(late)});
  }
  recount(queue);
}

void Scheduler::plan_loads(DestinationQueue& queue, const Now& now, std::vector<ScheduleStep>& steps) {
  const bool may_start = queue.may_start(now.steady);
  const bool is_short = reserved_ > limits_.max_in_memory / 2;
  for (const auto lane : kLanes) {
    auto* backlog = queue.lane(lane);
    if (!backlog) continue;
    if (!may_start) backlog->shed(is_short ? kKeptAtLeast : kKept);
    recount(queue);
    auto load = backlog->want_load(now.wall, queue.useful_window(now.steady), room(may_start));
    if (!load && has_room_for_late(queue)) load = backlog->want_late();
    if (load) steps.emplace_back(schedule_step::Load{queue.name(lane), *load});
    recount(queue);
  }
}

bool Scheduler::has_room_for_late(const DestinationQueue& queue) const {
  return queue.shape.warn_after > milliseconds{0} && in_flight_ - started_ < kLateInFlight;
}

void Scheduler::plan_resolve(DestinationQueue& queue, const Now& now, std::vector<ScheduleStep>& steps) {
  const bool is_wanted = queue.needs_provider || now.steady >= queue.provider_valid_until;
  if (!is_wanted || queue.is_asking || !queue.next_lane(now.wall)) return;
  queue.is_asking = true;
  steps.emplace_back(schedule_step::Resolve{queue.destination});
}

/// Until something happens to it or its time has come.
void Scheduler::rest(DestinationQueue& queue, const Now& now) {
  const bool is_forgettable = queue.place == Place::none && !queue.is_noted;
  std::optional<SteadyTime> next;
  const auto consider = [&](SteadyTime at) { next = std::min(next.value_or(at), at); };
  if (const auto at = queue.forgettable_at(); is_forgettable && at) {
    if (*at <= now.steady) return drop(queue);
    consider(*at);
  }
  const auto consider_later = [&](std::optional<SteadyTime> at) {
    if (at && *at > now.steady) consider(*at);
  };
  if (const auto oldest = queue.oldest_arrival(); oldest && !queue.needs_provider)
    consider(
      std::max(steady_at(*oldest + queue.shape.retry.max_age + milliseconds{1}, now), queue.next_expiry)
    );
  if (queue.shape.warn_after > milliseconds{0} && !queue.needs_provider) {
    if (const auto oldest = queue.oldest_unwarned())
      consider(std::max(steady_at(*oldest + queue.shape.warn_after, now), queue.next_warning));
    if (queue.wants_late()) consider(now.steady + kRoomInterval);
  }
  const auto due = queue.next_due(now);
  if (due) {
    consider_later(queue.health.suspended_until());
    consider_later(queue.held_until);
    consider_later(steady_at(*due, now));
  }
  if (due && *due <= now.wall && queue.place == Place::none) {
    consider_later(queue.health.growth_held_until());
    consider_later(queue.messages.next_token());
    consider_later(queue.connections.next_token());
    if (!queue.next_lane(now.wall)) consider(now.steady + kRoomInterval);
  }
  set_wake(queue, next);
}

void Scheduler::set_wake(DestinationQueue& queue, std::optional<SteadyTime> at) {
  if (queue.wake == at) return;
  if (queue.wake) wakes_.erase({*queue.wake, &queue});
  if (at) wakes_.emplace(*at, &queue);
  queue.wake = at;
}

void Scheduler::drop(DestinationQueue& queue) {
  set_wake(queue, std::nullopt);
  leave_provider(queue);
  busy_.erase(&queue);
  queues_.erase(queues_.find(queue.destination));
}

// ---- providers ----

void Scheduler::join_provider(DestinationQueue& queue, const std::string& name) {
  if (name.empty()) return;
  auto& at = providers_[name];
  if (!at) {
    at = std::make_unique<Provider>();
    at->name = name;
    shape_provider(*at);
  }
  queue.provider = at.get();
  ++at->destinations;
  at->connections += queue.loads.slots();
}

void Scheduler::leave_provider(DestinationQueue& queue) {
  if (!queue.provider) return;
  auto& provider = *queue.provider;
  if (queue.place == Place::provider_messages || queue.place == Place::provider_connections) {
    std::erase(line(queue, queue.place), &queue);
    queue.place = Place::none;
  }
  queue.woken_from = Place::none;
  --provider.destinations;
  provider.connections -= queue.loads.slots();
  noted_providers_.insert(&provider);
  queue.provider = nullptr;
}

void Scheduler::shape_provider(Provider& provider) {
  provider.shape = shapes_.provider_shape(provider.name);
  provider.messages.set_rate(provider.shape ? provider.shape->message_rate : std::nullopt);
  noted_providers_.insert(&provider);
}

void Scheduler::settle_provider(Provider& provider, SteadyTime now) {
  std::optional<SteadyTime> next;
  if (!provider.for_messages.empty() && !provider.has_message(now)) next = provider.messages.next_token();
  if (provider.destinations == 0) next = provider.messages.full_at();
  if (provider.wake) provider_wakes_.erase({*provider.wake, &provider});
  provider.wake.reset();
  if (provider.destinations == 0 && *next <= now) {
    providers_.erase(providers_.find(provider.name));
    return;
  }
  if (!next) return;
  provider_wakes_.emplace(*next, &provider);
  provider.wake = next;
}

}  // namespace relay::queue
