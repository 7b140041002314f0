#include "relay/queue/hop_health.hpp"

#include <algorithm>
#include <numeric>

namespace relay::queue {
namespace {

constexpr std::chrono::seconds kGrowthPause{30};

}  // namespace

HopHealth::HopHealth(std::size_t shards, std::size_t max_connections)
    : max_connections_(std::max<std::size_t>(max_connections, 1)), ready_(std::max<std::size_t>(shards, 1)) {}

void HopHealth::connection_ready(std::size_t shard) {
  ++ready_[shard];
  failures_ = 0;
  last_failure_.clear();
  suspended_until_.reset();
}

void HopHealth::connection_closed(std::size_t shard) {
  if (ready_[shard] > 0) --ready_[shard];
}

void HopHealth::hop_failed(const RetrySchedule& schedule, std::string why, SteadyTime now, double fraction) {
  last_failure_ = std::move(why);
  if (ready() > 0) {
    growth_held_until_ = now + kGrowthPause;
    return;
  }
  if (is_suspended(now)) return;  // several connections failed at once: one failure of the hop
  ++failures_;
  suspended_until_ = now + retry_delay(schedule, failures_, fraction);
}

void HopHealth::resume() {
  failures_ = 0;
  suspended_until_.reset();
  growth_held_until_.reset();
}

std::size_t HopHealth::permits(SteadyTime now) const {
  if (is_suspended(now)) return 0;
  if (ready() == 0 && !last_failure_.empty()) return 1;
  return 2 * (may_connect(now) ? max_connections_ : ready());
}

bool HopHealth::may_connect(SteadyTime now) const {
  return ready() == 0 || !growth_held_until_ || now >= *growth_held_until_;
}

std::size_t HopHealth::ready() const { return std::accumulate(ready_.begin(), ready_.end(), std::size_t{0}); }

}  // namespace relay::queue
