#include "relay/queue/retry_schedule.hpp"

#include <algorithm>
#include <cmath>

namespace relay::queue {

milliseconds retry_delay(const RetrySchedule& schedule, std::uint32_t failures, double fraction) {
  // 2^32 initial delays are more than any max.
  const double doublings = std::min(failures > 0 ? failures - 1 : 0, 32U);
  const double plain = std::min(
    static_cast<double>(schedule.initial.count()) * std::exp2(doublings),
    static_cast<double>(schedule.max.count())
  );
  const double spread = plain * (0.9 + 0.2 * fraction);
  return std::max(
    milliseconds{static_cast<milliseconds::rep>(spread)}, std::min(schedule.initial, milliseconds{1000})
  );
}

}  // namespace relay::queue
