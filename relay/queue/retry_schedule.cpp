#include "relay/queue/retry_schedule.hpp"

#include <algorithm>
#include <cmath>

namespace relay::queue {

namespace {

double growth(const RetrySchedule& schedule) { return schedule.multiplier.hundredths / 100.0; }

}  // namespace

milliseconds retry_delay(const RetrySchedule& schedule, std::uint32_t failures, double fraction) {
  const double steps = failures > 0 ? failures - 1 : 0;
  // Grows beyond all bounds to infinity, of which the lesser is max.
  const double plain = std::min(
    static_cast<double>(std::max(schedule.initial, milliseconds{1}).count()) *
      std::pow(growth(schedule), steps),
    static_cast<double>(schedule.max.count())
  );
  const double spread = plain * (0.9 + 0.2 * fraction);
  return std::max(
    milliseconds{static_cast<milliseconds::rep>(spread)}, std::min(schedule.initial, milliseconds{1000})
  );
}

std::uint32_t failure_behind(const RetrySchedule& schedule, milliseconds wait) {
  if (schedule.multiplier <= Factor{100}) return 1;
  const auto initial = static_cast<double>(std::max(schedule.initial, milliseconds{1}).count());
  const auto max = static_cast<double>(schedule.max.count());
  const auto waited = std::min(static_cast<double>(wait.count()), max);
  // A wait is spread by a tenth: a shorter one than this was none of the schedule's.
  if (initial >= max || waited < initial * 0.8) return 1;
  // Waits grow as powers of the multiplier. The nearest one: where they stand closer than the spread is wide, that is
  // as often too late as too early.
  const double steps = std::round(std::log(waited / initial) / std::log(growth(schedule)));
  const double steps_to_max = std::ceil(std::log(max / initial) / std::log(growth(schedule)));
  return 2 + static_cast<std::uint32_t>(std::clamp(steps, 0.0, steps_to_max));
}

}  // namespace relay::queue
