#include "operator/runtime/token_bucket.hpp"

#include <algorithm>
#include <cmath>

namespace op::runtime {

void TokenBucket::fill(SteadyTime now) {
  const std::chrono::duration<double> passed = std::max(now, filled_at_) - filled_at_;
  tokens_ = std::min(burst_, tokens_ + passed.count() * rate_);
  filled_at_ = std::max(now, filled_at_);
}

milliseconds TokenBucket::reserve(SteadyTime now) {
  fill(now);
  tokens_ -= 1;
  if (tokens_ >= 0) return milliseconds{0};
  return milliseconds{static_cast<milliseconds::rep>(std::ceil(-tokens_ / rate_ * 1000))};
}

milliseconds TokenBucket::take_above(double kept, SteadyTime now) {
  fill(now);
  const auto missing = std::min(kept, burst_ - 1) + 1 - tokens_;
  if (missing > 0) return milliseconds{static_cast<milliseconds::rep>(std::ceil(missing / rate_ * 1000))};
  tokens_ -= 1;
  return milliseconds{0};
}

}  // namespace op::runtime
