#include "operator/runtime/clock.hpp"

#include <ctime>

namespace op::runtime {

WallTime BootClock::wall() const {
  return std::chrono::floor<milliseconds>(std::chrono::system_clock::now());
}

SteadyTime BootClock::steady() const {
  timespec now{};
  clock_gettime(CLOCK_BOOTTIME, &now);
  return SteadyTime{seconds{now.tv_sec} + std::chrono::nanoseconds{now.tv_nsec}};
}

double RandomJitter::fraction() {
  const std::lock_guard lock(mutex_);
  return std::uniform_real_distribution<double>{0.0, 1.0}(random_);
}

}  // namespace op::runtime
