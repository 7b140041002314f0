#include "relay/queue/retry_schedule.hpp"

#include <cmath>
#include <gtest/gtest.h>

namespace relay::queue {
namespace {

using namespace std::chrono_literals;

const RetrySchedule kSchedule{1min, 1h, 120h};

TEST(RetryDelay, DoublesUpToTheMaximum) {
  constexpr double kMiddle = 0.5;
  EXPECT_EQ(retry_delay(kSchedule, 1, kMiddle), 1min);
  EXPECT_EQ(retry_delay(kSchedule, 2, kMiddle), 2min);
  EXPECT_EQ(retry_delay(kSchedule, 6, kMiddle), 32min);
  EXPECT_EQ(retry_delay(kSchedule, 7, kMiddle), 1h);
  EXPECT_EQ(retry_delay(kSchedule, 4'000'000'000U, kMiddle), 1h);
}

TEST(RetryDelay, GrowsByTheMultiplier) {
  constexpr double kMiddle = 0.5;
  const RetrySchedule slower{1min, 1h, 120h, Factor{150}};
  EXPECT_EQ(retry_delay(slower, 1, kMiddle), 1min);
  EXPECT_EQ(retry_delay(slower, 2, kMiddle), 90s);
  EXPECT_EQ(retry_delay(slower, 3, kMiddle), 135s);
  EXPECT_EQ(retry_delay(slower, 4'000'000'000U, kMiddle), 1h);
  const RetrySchedule steady{1min, 1h, 120h, Factor{100}};
  EXPECT_EQ(retry_delay(steady, 1, kMiddle), 1min);
  EXPECT_EQ(retry_delay(steady, 4'000'000'000U, kMiddle), 1min);
}

TEST(RetryDelay, IsToldWhichFailureItEndsWith) {
  for (const auto multiplier : {150U, 200U, 1000U}) {
    const RetrySchedule schedule{1min, 120h, 240h, Factor{multiplier}};
    for (std::uint32_t failure = 1; failure < 5; ++failure)
      EXPECT_EQ(failure_behind(schedule, retry_delay(schedule, failure, 0.5)), failure + 1) << multiplier;
  }
  EXPECT_EQ(failure_behind(kSchedule, 0ms), 1U) << "it did not wait";
  EXPECT_EQ(failure_behind(kSchedule, 47s), 1U) << "no wait of this schedule";
  EXPECT_EQ(failure_behind({1min, 1h, 120h, Factor{100}}, 1h), 1U) << "all waits are alike";
  EXPECT_EQ(retry_delay(kSchedule, failure_behind(kSchedule, 100h), 0.5), 1h);
}

TEST(RetryDelay, IsToldWhichFailureItEndsWithWhereWaitsHardlyGrow) {
  for (const auto multiplier : {101U, 105U, 125U, 150U}) {
    const RetrySchedule schedule{1min, 120h, 240h, Factor{multiplier}};
    for (std::uint32_t failure = 1; failure < 20; ++failure)
      EXPECT_EQ(failure_behind(schedule, retry_delay(schedule, failure, 0.5)), failure + 1) << multiplier;
  }
}

TEST(RetryDelay, IsToldWhichFailureItEndsWithWhateverItsSpreadWhereWaitsGrowByMoreThanThat) {
  for (const auto multiplier : {125U, 150U, 1000U}) {
    const RetrySchedule schedule{1min, 120h, 240h, Factor{multiplier}};
    for (std::uint32_t failure = 1; failure < 5; ++failure) {
      for (const auto fraction : {0.0, 0.3, 0.7, 0.999})
        EXPECT_EQ(failure_behind(schedule, retry_delay(schedule, failure, fraction)), failure + 1)
          << multiplier << " " << fraction;
    }
  }
}

/// What is postponed has the failure that its last wait tells, time after time.
TEST(RetryDelay, GrowsUpToTheMaximumAlsoWhereItIsToldByWaitsAloneAndWaitsHardlyGrow) {
  for (const auto multiplier : {101U, 105U, 150U}) {
    const RetrySchedule schedule{1min, 2h, 240h, Factor{multiplier}};
    const auto steps = std::log(120.0) / std::log(multiplier / 100.0);
    auto wait = retry_delay(schedule, 1, 0.5);
    int rounds = 0;
    for (; wait < 2h && rounds < 1000; ++rounds)
      wait = retry_delay(schedule, failure_behind(schedule, wait), 0.5);
    EXPECT_NEAR(rounds, steps, 1.0) << multiplier;
    EXPECT_EQ(retry_delay(schedule, failure_behind(schedule, wait), 0.5), 2h) << "and stays there";
    EXPECT_EQ(retry_delay(schedule, failure_behind(schedule, 1000h), 0.5), 2h);
  }
}

TEST(RetryDelay, StaysTheSameWhereItDoesNotGrow) {
  const RetrySchedule steady{1min, 1h, 120h, Factor{100}};
  for (const auto wait : {0ms, milliseconds{54s}, milliseconds{66s}, milliseconds{1000h}}) {
    EXPECT_EQ(failure_behind(steady, wait), 1U);
    EXPECT_EQ(retry_delay(steady, failure_behind(steady, wait), 0.5), 1min);
  }
  const RetrySchedule flat{1h, 1h, 120h, Factor{200}};
  EXPECT_EQ(retry_delay(flat, failure_behind(flat, 1h), 0.5), 1h) << "the first wait is the longest";
}

TEST(RetryDelay, IsSpreadByATenth) {
  EXPECT_EQ(retry_delay(kSchedule, 1, 0.0), 54s);
  EXPECT_NEAR(static_cast<double>(retry_delay(kSchedule, 1, 0.999999).count()), 66'000, 1);
}

TEST(RetryDelay, IsNeverShorterThanASecondUnlessAskedFor) {
  EXPECT_GE(retry_delay({1s, 1s, 1h}, 1, 0.0), 1s);
  EXPECT_LE(retry_delay({100ms, 1h, 1h}, 1, 0.0), 110ms);
}

}  // namespace
}  // namespace relay::queue
