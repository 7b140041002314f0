#pragma once
/// Whether a destination's next hop takes mail at present, and how much at a time.

#include <optional>
#include <string>
#include <vector>

#include "relay/queue/retry_schedule.hpp"

namespace relay::queue {

/// A hop that cannot be connected to is suspended on a schedule of its own, and all its mail waits: no
/// message counts an attempt for it. When it comes back one connection probes before all follow. A failure
/// while other connections work only keeps their number from growing for a while.
///
/// Thread: one at a time.
class HopHealth {
 public:
  /// @param shards           at least 1
  /// @param max_connections  to this destination, over all shards, at least 1
  HopHealth(std::size_t shards, std::size_t max_connections);

  /// A connection greeted, secured and authenticated.
  void connection_ready(std::size_t shard);
  /// It ended, whatever the cause.
  void connection_closed(std::size_t shard);
  /// @param fraction  chance, in [0, 1)
  void hop_failed(const RetrySchedule& schedule, std::string why, SteadyTime now, double fraction);
  /// Something changed (credentials, settings, a person said so): try at once.
  void resume();

  [[nodiscard]] bool is_suspended(SteadyTime now) const {
    return suspended_until_ && now < *suspended_until_;
  }
  [[nodiscard]] std::optional<SteadyTime> suspended_until() const { return suspended_until_; }
  /// What the last failure was; empty once a connection was ready again.
  [[nodiscard]] const std::string& last_failure() const { return last_failure_; }
  /// How many messages may be in flight: some more than connections, so that none waits for its next one.
  [[nodiscard]] std::size_t permits(SteadyTime now) const;
  /// Whether this shard may open another connection.
  [[nodiscard]] bool may_connect(SteadyTime now) const;
  [[nodiscard]] std::size_t ready_on(std::size_t shard) const { return ready_[shard]; }

 private:
  [[nodiscard]] std::size_t ready() const;

  std::size_t max_connections_;
  std::vector<std::size_t> ready_;  // connections, a shard
  std::uint32_t failures_ = 0;      // in a row
  std::string last_failure_;
  std::optional<SteadyTime> suspended_until_;
  std::optional<SteadyTime> growth_held_until_;
};

}  // namespace relay::queue
