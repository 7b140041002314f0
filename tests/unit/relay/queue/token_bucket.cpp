#include "relay/queue/token_bucket.hpp"

#include <gtest/gtest.h>

namespace relay::queue {
namespace {

using namespace std::chrono_literals;

const SteadyTime kStart = SteadyTime{} + 1h;

/// How many are there at once.
int take_all(TokenBucket& bucket, SteadyTime now) {
  int taken = 0;
  for (; bucket.has_token(now) && taken < 1'000'000; ++taken) bucket.take(now);
  return taken;
}

TEST(TokenBucket, WithoutARateAlwaysHasTokens) {
  TokenBucket bucket;
  EXPECT_EQ(take_all(bucket, kStart), 1'000'000);
  EXPECT_LE(bucket.full_at(), kStart);
}

TEST(TokenBucket, SpreadsASlowRateEvenly) {
  TokenBucket bucket(Rate{60, 1h});
  EXPECT_EQ(take_all(bucket, kStart), 1);
  EXPECT_EQ(bucket.next_token(), kStart + 1min);
  EXPECT_EQ(take_all(bucket, kStart + 1min - 1ns), 0);
  EXPECT_EQ(take_all(bucket, kStart + 1min), 1);
}

TEST(TokenBucket, SavesUpWhatComesInASecond) {
  TokenBucket bucket(Rate{600, 1min});
  EXPECT_EQ(take_all(bucket, kStart), 10);
  EXPECT_EQ(take_all(bucket, kStart + 500ms), 5);
  EXPECT_EQ(take_all(bucket, kStart + 1h), 10);
}

TEST(TokenBucket, MakesUpLaterForWhatWasNotForeseen) {
  TokenBucket bucket(Rate{1, 1s});
  for (int i = 0; i < 3; ++i) bucket.take(kStart);
  EXPECT_EQ(bucket.next_token(), kStart + 3s);
  bucket.give_back();
  EXPECT_EQ(bucket.next_token(), kStart + 2s);
}

TEST(TokenBucket, RemembersWhatWasTakenWhenTheRateChanges) {
  TokenBucket bucket(Rate{1, 1min});
  bucket.take(kStart);
  bucket.set_rate(Rate{2, 1min});
  EXPECT_FALSE(bucket.has_token(kStart));
  bucket.set_rate(std::nullopt);
  EXPECT_TRUE(bucket.has_token(kStart));
}

}  // namespace
}  // namespace relay::queue
