#pragma once
/// Time and chance that stand still until a test moves them.

#include <atomic>

#include "operator/runtime/clock.hpp"

namespace op::runtime {

class VirtualClock : public relay::Clock {
 public:
  [[nodiscard]] WallTime wall() const override { return WallTime{seconds{1'769'860'800}} + passed_.load(); }
  [[nodiscard]] SteadyTime steady() const override { return SteadyTime{seconds{1000}} + passed_.load(); }
  void advance(milliseconds time) { passed_ = passed_.load() + time; }

 private:
  std::atomic<milliseconds> passed_{milliseconds{0}};
};

class FixedJitter : public relay::Jitter {
 public:
  double fraction() override { return 0; }
};

}  // namespace op::runtime
