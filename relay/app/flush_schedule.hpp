#pragma once
/// When a relay that retires tries all that waits, whatever its retry schedule says.

#include <optional>

#include "relay/base/clock.hpp"

namespace relay::app {

/// At once, then after kFirstPause, then after pauses each twice as long as the one before: a next hop that refuses gets
/// several chances within a minute, and is not pestered where the time to retire is long.
///
/// Thread: one at a time.
class FlushSchedule {
 public:
  static constexpr seconds kFirstPause{10};

  /// Asked about once a second. True where a flush is to begin now.
  /// @param is_retiring  false: all begins anew
  [[nodiscard]] bool is_due(bool is_retiring, SteadyTime now);

 private:
  std::optional<SteadyTime> next_;
  milliseconds pause_ = kFirstPause;
};

}  // namespace relay::app
