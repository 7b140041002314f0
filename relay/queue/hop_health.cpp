#include "relay/queue/hop_health.hpp"

#include <algorithm>
#include <utility>

namespace relay::queue {
namespace {

constexpr std::chrono::seconds kGrowthPause{30};

}  // namespace

void HopHealth::connection_closed() {
  if (ready_ > 0) --ready_;
}

void HopHealth::judged(std::size_t connections) {
  failures_ = 0;
  last_failure_.clear();
  suspended_until_.reset();
  window_.succeeded(connections);
}

void HopHealth::hop_failed(const RetrySchedule& schedule, std::string why, SteadyTime now, double fraction) {
  last_failure_ = std::move(why);
  if (is_suspended(now)) return;  // several connections failed at once: one failure of the hop
  if (ready_ > 0 && failures_ == 0) {
    growth_held_until_ = now + kGrowthPause;
    window_.failed();
    if (!window_.is_dead()) return;
  }
  ++failures_;
  suspended_until_ = now + retry_delay(schedule, failures_, fraction);
  growth_held_until_.reset();
  window_.reset();
}

void HopHealth::resume() {
  suspended_until_.reset();
  growth_held_until_.reset();
}

void HopHealth::renew() {
  failures_ = 0;
  resume();
}

/// Behind a suspension, or behind a failure that left no connection.
bool HopHealth::is_probing() const { return failures_ > 0 || (ready_ == 0 && !last_failure_.empty()); }

std::size_t HopHealth::permits(SteadyTime now) const {
  if (is_suspended(now)) return 0;
  return is_probing() ? 1 : 2 * connections(now);
}

std::size_t HopHealth::connections(SteadyTime now) const {
  if (is_suspended(now)) return ready_;
  if (is_probing()) return std::max<std::size_t>(ready_, 1);
  const bool is_growth_held = ready_ > 0 && growth_held_until_ && now < *growth_held_until_;
  return is_growth_held ? std::min(ready_, window_.size()) : window_.size();
}

}  // namespace relay::queue
