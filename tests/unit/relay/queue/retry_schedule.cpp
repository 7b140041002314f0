#include "relay/queue/retry_schedule.hpp"

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
