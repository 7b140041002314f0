#pragma once
/// NAME      queue -- when what is tried: pure scheduling of messages and next hops
/// USES      route, mail, base
/// INVARIANT pure: time and chance come in as parameters; a message is never in two places at once: it waits
///           on disk, in a window in memory, or is in flight
/// FAILURES  none of its own
/// LIMITS    memory holds a window of each queue (kWindow) and of all (SchedulerLimits::max_in_memory), never the queue;
///           what plan() costs grows with what happened, not with the number of destinations

#include <compare>
#include <cstdint>

#include "relay/base/clock.hpp"

namespace relay::queue {

/// A factor with two decimals, exactly: 1.5 is Factor{150}.
struct Factor {
  std::uint32_t hundredths = 100;
  friend auto operator<=>(const Factor&, const Factor&) = default;
};

struct RetrySchedule {
  milliseconds initial = std::chrono::minutes{1};
  milliseconds max = std::chrono::hours{1};
  milliseconds max_age = std::chrono::hours{120};  ///< RFC 5321 section 4.5.4.1: give up after 4 to 5 days
  Factor multiplier{200};                          ///< of each wait to the one before; at least 1
};

/// How long to wait behind the `failures`-th failure in a row.
///
/// Grows by `multiplier` from `initial` up to `max`, each spread by a tenth up or down so that what failed together does
/// not come back together.
/// @param failures  at least 1
/// @param fraction  chance, in [0, 1)
/// @return          at least 1 s, unless `initial` is shorter
[[nodiscard]] milliseconds retry_delay(
  const RetrySchedule& schedule, std::uint32_t failures, double fraction
);

/// Which failure in a row comes at the end of a wait as long as this one, as far as its spread lets tell: exactly with a
/// multiplier of 1.25 or more; nearer to 1 some are skipped and some come again, as many of these as of those. With 1 all
/// waits are alike, and it is the first.
/// @return  at least 1; behind the longest wait one that waits as long again
/// Complexity O(1).
[[nodiscard]] std::uint32_t failure_behind(const RetrySchedule& schedule, milliseconds wait);

}  // namespace relay::queue
