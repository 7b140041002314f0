#include "relay/app/flush_schedule.hpp"

namespace relay::app {

bool FlushSchedule::is_due(bool is_retiring, SteadyTime now) {
  if (!is_retiring) {
    *this = {};
    return false;
  }
  if (next_ && now < *next_) return false;
  next_ = now + pause_;
  pause_ *= 2;
  return true;
}

}  // namespace relay::app
