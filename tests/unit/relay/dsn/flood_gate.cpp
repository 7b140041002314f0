#include "relay/dsn/flood_gate.hpp"

#include <gtest/gtest.h>

namespace relay::dsn {
namespace {

using namespace std::chrono_literals;

const WallTime kNow{milliseconds{1'767'268'800'000}};

TEST(FloodGate, SpreadsTenThousandReportsToOneVictimCase137) {
  FloodGate gate;
  std::vector<WallTime> slots;
  for (int i = 0; i < 10'000; ++i) slots.push_back(gate.slot("victim@example.com", kNow));
  EXPECT_EQ(std::count(slots.begin(), slots.end(), kNow), 20) << "a burst";
  EXPECT_TRUE(std::is_sorted(slots.begin(), slots.end()));
  for (std::size_t i = 20; i < slots.size(); ++i) {
    const auto within_an_hour = std::upper_bound(slots.begin(), slots.end(), slots[i] - 1h);
    EXPECT_LE(slots.begin() + static_cast<std::ptrdiff_t>(i) - within_an_hour, 120)
      << "a burst and an hour's worth";
  }
  EXPECT_EQ(slots.back(), kNow + (9'999 - 19) * 36s) << "late, and never dropped";
}

TEST(FloodGate, KeepsVictimsApartWhateverTheirCase137) {
  FloodGate gate({.reports_per_hour = 100, .burst = 2, .max_victims = 10});
  EXPECT_EQ(gate.slot("a@b", kNow), kNow);
  EXPECT_EQ(gate.slot("A@B", kNow), kNow);
  EXPECT_GT(gate.slot("a@b", kNow), kNow);
  EXPECT_EQ(gate.slot("other@b", kNow), kNow);
}

TEST(FloodGate, LetsABurstThroughAgainBehindASilence) {
  FloodGate gate({.reports_per_hour = 60, .burst = 2, .max_victims = 10});
  for (int i = 0; i < 3; ++i) (void)gate.slot("a@b", kNow);
  EXPECT_EQ(gate.slot("a@b", kNow + 90s), kNow + 2min);
  EXPECT_EQ(gate.slot("a@b", kNow + 1h), kNow + 1h);
  EXPECT_EQ(gate.slot("a@b", kNow + 1h), kNow + 1h);
  EXPECT_EQ(gate.slot("a@b", kNow + 1h), kNow + 1h + 1min);
}

TEST(FloodGate, HoldsABoundedNumberOfVictimsCase137) {
  FloodGate gate({.reports_per_hour = 60, .burst = 2, .max_victims = 100});
  WallTime last{};
  for (int i = 0; i < 1000; ++i) last = gate.slot("v" + std::to_string(i) + "@d", kNow);
  EXPECT_EQ(gate.victims(), 100U);
  EXPECT_GT(last, kNow) << "those beyond share one allowance";
  EXPECT_EQ(gate.slot("later@d", kNow + 2min), kNow + 2min) << "who is idle makes room";
  EXPECT_EQ(gate.victims(), 1U);
}

}  // namespace
}  // namespace relay::dsn
