#pragma once
/// A rate with a burst.

#include "operator/runtime/clock.hpp"

namespace op::runtime {

/// Grants `rate` tokens a second, up to `burst` of them at once after a quiet time.
///
/// Thread: one at a time.
class TokenBucket {
 public:
  /// @param rate   tokens a second, above 0
  /// @param burst  at least 1
  TokenBucket(double rate, unsigned burst) : rate_(rate), burst_(burst), tokens_(burst) {}

  /// Takes one token, also one that is yet to come, and says how long to wait for it.
  [[nodiscard]] milliseconds reserve(SteadyTime now);
  /// Takes one token if `kept` remain for others behind it, and else none: then says how long until there could be one.
  [[nodiscard]] milliseconds take_above(double kept, SteadyTime now);
  [[nodiscard]] double burst() const { return burst_; }

 private:
  void fill(SteadyTime now);
  double rate_;
  double burst_;
  double tokens_;  // below 0: promised
  SteadyTime filled_at_{};
};

}  // namespace op::runtime
