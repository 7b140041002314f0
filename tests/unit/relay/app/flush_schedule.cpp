#include "relay/app/flush_schedule.hpp"

#include <gtest/gtest.h>

namespace relay::app {
namespace {

/// The seconds, of the first 100, at which a flush begins.
std::vector<int> flushes(FlushSchedule& schedule, SteadyTime begin) {
  std::vector<int> found;
  for (int second = 0; second < 100; ++second) {
    if (schedule.is_due(true, begin + seconds{second})) found.push_back(second);
  }
  return found;
}

TEST(FlushSchedule, BeginsAtOnceAndThenGivesEachTimeTwiceAsLong) {
  FlushSchedule schedule;
  EXPECT_EQ(flushes(schedule, SteadyTime{}), (std::vector<int>{0, 10, 30, 70}));
}

TEST(FlushSchedule, IsNeverDueWhileNothingRetires) {
  FlushSchedule schedule;
  EXPECT_FALSE(schedule.is_due(false, SteadyTime{} + seconds{1}));
}

TEST(FlushSchedule, BeginsAnewBehindARetirementThatWasTakenBack) {
  FlushSchedule schedule;
  (void)flushes(schedule, SteadyTime{});
  EXPECT_FALSE(schedule.is_due(false, SteadyTime{} + seconds{100}));
  EXPECT_EQ(flushes(schedule, SteadyTime{} + seconds{101}), (std::vector<int>{0, 10, 30, 70}));
}

}  // namespace
}  // namespace relay::app
