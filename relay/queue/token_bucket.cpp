#include "relay/queue/token_bucket.hpp"

#include <algorithm>

namespace relay::queue {

using std::chrono::nanoseconds;

void TokenBucket::set_rate(std::optional<Rate> rate) {
  interval_ = saved_ = nanoseconds{0};
  if (!rate) {
    full_at_ = SteadyTime{};
    return;
  }
  const auto count = static_cast<nanoseconds::rep>(std::max<std::uint64_t>(rate->count, 1));
  const auto per = std::max<nanoseconds>(rate->per, milliseconds{1});
  interval_ = (per + nanoseconds{count - 1}) / count;  // rounded up: never faster than the rate
  const auto a_second = std::min<nanoseconds::rep>(count, std::chrono::seconds{1} / interval_);
  saved_ = interval_ * (std::max<nanoseconds::rep>(a_second, 1) - 1);
}

void TokenBucket::take(SteadyTime now) {
  if (interval_ > nanoseconds{0}) full_at_ = std::max(full_at_, now) + interval_;
}

void TokenBucket::give_back() { full_at_ -= interval_; }

}  // namespace relay::queue
