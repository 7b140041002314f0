#include "relay/queue/concurrency.hpp"

#include <gtest/gtest.h>

namespace relay::queue {
namespace {

TEST(ConcurrencyWindow, BeginsWithFiveOrItsLimit) {
  EXPECT_EQ(ConcurrencyWindow(20).size(), 5U);
  EXPECT_EQ(ConcurrencyWindow(3).size(), 3U);
  EXPECT_EQ(ConcurrencyWindow(0).size(), 1U);
}

TEST(ConcurrencyWindow, GrowsByOneBehindAWindowOfSuccesses) {
  ConcurrencyWindow window(8);
  for (std::size_t size = 5; size < 8; ++size) {
    for (std::size_t i = 0; i < size; ++i) {
      EXPECT_EQ(window.size(), size);
      window.succeeded(size);
    }
  }
  EXPECT_EQ(window.size(), 8U);
  window.succeeded(8);
  EXPECT_EQ(window.size(), 8U) << "not above its limit";
}

TEST(ConcurrencyWindow, DoesNotGrowWhileItIsNotUsedUp) {
  ConcurrencyWindow window(20);
  for (int i = 0; i < 100; ++i) window.succeeded(1);
  EXPECT_EQ(window.size(), 6U);
}

TEST(ConcurrencyWindow, NarrowsWithFailuresAndIsDeadBehindAWindowOfThem) {
  ConcurrencyWindow window(20);
  window.failed();
  EXPECT_EQ(window.size(), 4U);
  EXPECT_FALSE(window.is_dead());
  for (int i = 0; i < 4; ++i) window.failed();
  EXPECT_TRUE(window.is_dead());
  EXPECT_GE(window.size(), 1U);
}

TEST(ConcurrencyWindow, IsNotDeadWhenASuccessCameBetween) {
  ConcurrencyWindow window(20);
  for (int i = 0; i < 50; ++i) {
    window.failed();
    ASSERT_EQ(window.is_dead(), window.size() == 1) << "only where one failure is all of the window";
    window.succeeded(20);
    EXPECT_FALSE(window.is_dead());
  }
}

TEST(ConcurrencyWindow, KeepsToALoweredLimit) {
  ConcurrencyWindow window(20);
  window.set_limit(2);
  EXPECT_EQ(window.size(), 2U);
}

}  // namespace
}  // namespace relay::queue
