#pragma once
/// Which message starts when, on which shard. Events come in by the methods below, plan() says what to do.

#include <map>
#include <optional>
#include <variant>
#include <vector>

#include "relay/queue/backlog.hpp"
#include "relay/queue/hop_health.hpp"
#include "relay/route/next_hop.hpp"

namespace relay::queue {

using route::Destination;

struct Now {
  WallTime wall;      ///< for due times and ages
  SteadyTime steady;  ///< for suspensions
};

// clang-format off: one line each
namespace schedule_step {
/// Deliver these. Each is answered by finished(), or by put_back() when it was not tried.
struct Start { Destination destination; std::size_t shard; std::vector<Item> items; bool may_connect; };
/// Read from disk; answered by loaded().
struct Load { Destination destination; Backlog::Load what; };
/// Too old: give up. Each is answered by finished().
struct Expire { Destination destination; std::vector<Item> items; };
}  // namespace schedule_step
// clang-format on
using ScheduleStep = std::variant<schedule_step::Start, schedule_step::Load, schedule_step::Expire>;

inline constexpr std::size_t kNoShard = static_cast<std::size_t>(-1);

struct SchedulerLimits {
  std::size_t shards = 1;
  std::size_t max_connections = 20;  ///< to one destination
  RetrySchedule retry;
};

/// What a person asks about one destination.
struct DestinationState {
  Destination destination;
  std::size_t waiting_in_memory = 0;
  std::size_t in_flight = 0;
  std::optional<SteadyTime> suspended_until;
  std::string last_failure;
};

/// Thread: one at a time. Lifetime: `jitter` outlives the scheduler.
class Scheduler {
 public:
  Scheduler(SchedulerLimits limits, Jitter& jitter) : limits_(limits), jitter_(jitter) {}

  /// Mail for this destination is on disk; known destinations are left as they are.
  void add(const Destination& destination) { (void)queue(destination); }
  /// In force at once, also for what waits already.
  void set_retry(const RetrySchedule& retry);

  void announce(const Destination& destination, const QueueId& id) {
    queue(destination).backlog.announce(id);
  }
  void withdraw(const Destination& destination, const QueueId& id) {
    queue(destination).backlog.withdraw(id);
  }
  /// As Backlog::admit.
  bool admit(const Destination& destination, const Item& item, const Now& now);
  void loaded(
    const Destination& destination, const std::vector<Item>& items, std::optional<WallTime> next_due
  );
  /// @param shard  the one that Start named; kNoShard behind Expire
  void finished(const Destination& destination, const QueueId& id, std::size_t shard);
  void put_back(const Destination& destination, const QueueId& id, std::size_t shard);
  /// It stays in flight and counts no more to what may be in flight: something of ours is in its way, and
  /// others need not wait for that. Then answer with kNoShard.
  void release(const Destination& destination, std::size_t shard) {
    forget_in_flight(queue(destination), shard);
  }
  void connection_ready(const Destination& destination, std::size_t shard);
  void connection_closed(const Destination& destination, std::size_t shard);
  void hop_failed(const Destination& destination, std::string why, const Now& now);
  /// The hop or its credentials changed: ends its suspension, and all that was deferred before is due at once.
  void resume(const Destination& destination, const Now& now);
  /// While paused no message starts; those in flight end as they do.
  void pause(bool is_paused) { is_paused_ = is_paused; }

  [[nodiscard]] std::vector<ScheduleStep> plan(const Now& now);
  /// When plan() may have something new without any event before.
  [[nodiscard]] std::optional<SteadyTime> wake_at(const Now& now) const;
  [[nodiscard]] std::vector<DestinationState> states() const;
  [[nodiscard]] std::size_t in_flight() const;

 private:
  struct Queue {
    Backlog backlog;
    HopHealth health;
    std::vector<std::size_t> in_flight;  // messages, a shard
  };
  Queue& queue(const Destination& destination);
  void plan_expiry(const Now& now, std::vector<ScheduleStep>& steps);
  void plan_starts(
    const Destination& destination, Queue& queue, const Now& now, std::vector<ScheduleStep>& steps
  );
  [[nodiscard]] std::optional<std::size_t> choose_shard(const Queue& queue, bool may_connect) const;
  static void forget_in_flight(Queue& queue, std::size_t shard);

  SchedulerLimits limits_;
  Jitter& jitter_;
  bool is_paused_ = false;
  SteadyTime next_expiry_{};  // the windows are searched for what is too old no more often than need be
  std::map<Destination, Queue> queues_;
};

}  // namespace relay::queue
