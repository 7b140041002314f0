#pragma once
/// Whether a destination's next hop takes mail at present, and how much at a time.

#include <optional>
#include <string>

#include "relay/queue/concurrency.hpp"
#include "relay/queue/retry_schedule.hpp"

namespace relay::queue {

/// A hop that cannot be connected to is suspended on a schedule of its own, and all its mail waits: no
/// message counts an attempt for it. So is one that refuses a whole window of connections with no message judged
/// between. When the time is over one message probes before all follow, and only a message that the hop judges
/// (takes, defers or rejects) ends the row of failures: one that greets and then refuses is backed off from as one
/// that does not answer. A failure while other connections work narrows the window and keeps the number of
/// connections from growing for a while.
///
/// Thread: one at a time.
class HopHealth {
 public:
  /// @param max_connections  to this destination, over all shards, at least 1
  explicit HopHealth(std::size_t max_connections) : window_(max_connections) {}

  void set_max_connections(std::size_t limit) { window_.set_limit(limit); }
  /// A connection greeted, secured and authenticated.
  void connection_ready() { ++ready_; }
  /// It ended, whatever the cause; before hop_failed() when it failed.
  void connection_closed();
  /// The hop replied to a message, whatever it said.
  /// @param connections  there are, those being opened included
  void judged(std::size_t connections);
  /// @param fraction  chance, in [0, 1)
  void hop_failed(const RetrySchedule& schedule, std::string why, SteadyTime now, double fraction);
  /// Try at once. When that fails it is one more failure in the row: the waits grow on from where they were.
  void resume();
  /// The hop is another now (its address, its credentials, its settings): try at once, and what failed before counts no
  /// more.
  void renew();

  [[nodiscard]] bool is_suspended(SteadyTime now) const {
    return suspended_until_ && now < *suspended_until_;
  }
  [[nodiscard]] std::optional<SteadyTime> suspended_until() const { return suspended_until_; }
  /// It was suspended and has judged no message since.
  [[nodiscard]] bool is_failing() const { return failures_ > 0; }
  /// Set while other connections work and their number must not grow.
  [[nodiscard]] std::optional<SteadyTime> growth_held_until() const { return growth_held_until_; }
  /// What the last failure was; empty once a message was judged again.
  [[nodiscard]] const std::string& last_failure() const { return last_failure_; }
  /// How many messages may be in flight: some more than connections, so that none waits for its next one.
  [[nodiscard]] std::size_t permits(SteadyTime now) const;
  /// How many connections there may be, those included that are there.
  [[nodiscard]] std::size_t connections(SteadyTime now) const;
  /// What connections() is when nothing is the matter.
  [[nodiscard]] std::size_t window() const { return window_.size(); }
  [[nodiscard]] std::size_t ready() const { return ready_; }

 private:
  [[nodiscard]] bool is_probing() const;

  ConcurrencyWindow window_;
  std::size_t ready_ = 0;       // connections
  std::uint32_t failures_ = 0;  // suspensions in a row
  std::string last_failure_;
  std::optional<SteadyTime> suspended_until_;
  std::optional<SteadyTime> growth_held_until_;
};

}  // namespace relay::queue
