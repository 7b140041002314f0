#pragma once
/// Spreads reports to one address over time, so that forged senders do not make the relay a weapon.

#include <cstddef>
#include <string>
#include <string_view>
#include <unordered_map>

#include "relay/base/clock.hpp"

namespace relay::dsn {

struct FloodLimits {
  unsigned reports_per_hour = 100;    ///< to one address, in the long run; at least 1
  unsigned burst = 20;                ///< so many at once, after a time of silence; at least 1
  std::size_t max_victims = 100'000;  ///< addresses that are kept apart; about 200 octets each
};

/// Gives each report the time from which it may be sent. Delays, never drops: a report is the sender's only
/// news of its mail.
///
/// An address is forgotten once it could take a full burst again. When more than `max_victims` are busy at
/// once, the addresses beyond share one allowance, so memory stays bounded whatever comes.
/// A clock that is set back delays the reports that follow by as much.
/// Thread: one at a time. Complexity: O(1), and a sweep over all addresses every interval at most.
class FloodGate {
 public:
  explicit FloodGate(FloodLimits limits = {});

  /// When a report to `victim` may be sent: `now`, or later. Each call takes a slot.
  /// @param victim  the reverse path, as text; case does not matter
  [[nodiscard]] WallTime slot(std::string_view victim, WallTime now);

  /// Addresses that are remembered.
  [[nodiscard]] std::size_t victims() const { return victims_.size(); }

 private:
  WallTime& allowance(std::string_view victim, WallTime now);
  void forget_idle(WallTime now);

  FloodLimits limits_;
  milliseconds interval_;  // between reports in the long run
  // Until when what was given out is spread at that interval; in the past: a full burst is free.
  std::unordered_map<std::string, WallTime> victims_;
  WallTime shared_{};
  WallTime last_sweep_{};
};

}  // namespace relay::dsn
