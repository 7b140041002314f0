#include "operator/runtime/token_bucket.hpp"

#include <gtest/gtest.h>

namespace op::runtime {
namespace {

constexpr SteadyTime kStart{seconds{1000}};

TEST(TokenBucket, GrantsItsBurstAtOnceAndThenItsRate) {
  TokenBucket bucket(10, 3);
  EXPECT_EQ(bucket.reserve(kStart), milliseconds{0});
  EXPECT_EQ(bucket.reserve(kStart), milliseconds{0});
  EXPECT_EQ(bucket.reserve(kStart), milliseconds{0});
  EXPECT_EQ(bucket.reserve(kStart), milliseconds{100});
  EXPECT_EQ(bucket.reserve(kStart), milliseconds{200});
}

TEST(TokenBucket, FillsUpAgainButNoFurtherThanItsBurst) {
  TokenBucket bucket(10, 2);
  (void)bucket.reserve(kStart);
  (void)bucket.reserve(kStart);
  const auto later = kStart + seconds{100};
  EXPECT_EQ(bucket.reserve(later), milliseconds{0});
  EXPECT_EQ(bucket.reserve(later), milliseconds{0});
  EXPECT_EQ(bucket.reserve(later), milliseconds{100});
}

TEST(TokenBucket, KeepsItsPromises) {
  TokenBucket bucket(10, 1);
  (void)bucket.reserve(kStart);
  EXPECT_EQ(bucket.reserve(kStart), milliseconds{100});
  // The token of that moment is promised to the one before.
  EXPECT_EQ(bucket.reserve(kStart + milliseconds{100}), milliseconds{100});
}

TEST(TokenBucket, IsNotConfusedByTimeThatStandsStill) {
  TokenBucket bucket(10, 1);
  (void)bucket.reserve(kStart);
  EXPECT_EQ(bucket.reserve(kStart - seconds{5}), milliseconds{100});
}

TEST(TokenBucket, KeepsTokensFromWhoCanWait) {
  TokenBucket bucket(10, 4);
  EXPECT_EQ(bucket.take_above(2, kStart), milliseconds{0});
  EXPECT_EQ(bucket.take_above(2, kStart), milliseconds{0});
  EXPECT_EQ(bucket.take_above(2, kStart), milliseconds{100}) << "nothing is promised";
  EXPECT_EQ(bucket.take_above(2, kStart), milliseconds{100});
  EXPECT_EQ(bucket.reserve(kStart), milliseconds{0});
  EXPECT_EQ(bucket.reserve(kStart), milliseconds{0});
  EXPECT_EQ(bucket.reserve(kStart), milliseconds{100});
  EXPECT_EQ(bucket.take_above(2, kStart), milliseconds{400}) << "behind what is promised";
  EXPECT_EQ(bucket.take_above(2, kStart + milliseconds{400}), milliseconds{0});
}

TEST(TokenBucket, KeepsNoMoreThanItCanHold) {
  TokenBucket bucket(10, 1);
  EXPECT_EQ(bucket.take_above(5, kStart), milliseconds{0});
}

}  // namespace
}  // namespace op::runtime
