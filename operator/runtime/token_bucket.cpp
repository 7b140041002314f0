#include "operator/runtime/token_bucket.hpp"

#include <algorithm>
#include <cmath>

namespace op::runtime {

milliseconds TokenBucket::reserve(SteadyTime now) {
  const std::chrono::duration<double> passed = std::max(now, filled_at_) - filled_at_;
  tokens_ = std::min(burst_, tokens_ + passed.count() * rate_);
  filled_at_ = std::max(now, filled_at_);
  tokens_ -= 1;
  if (tokens_ >= 0) return milliseconds{0};
  return milliseconds{static_cast<milliseconds::rep>(std::ceil(-tokens_ / rate_ * 1000))};
}

}  // namespace op::runtime
