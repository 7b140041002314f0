#include "relay/metrics/counters.hpp"

#include <gtest/gtest.h>
#include <set>

namespace relay::metrics {
namespace {

using namespace std::chrono_literals;

TEST(Counters, AddUpOverShards) {
  Registry registry(3);
  registry.shard(0).add(Counter::signatures);
  registry.shard(2).add(Counter::signatures, 4);
  EXPECT_EQ(registry.shards(), 3U);
  EXPECT_EQ(registry.total(Counter::signatures), 5U);
  EXPECT_EQ(registry.shard(2).read(Counter::signatures), 4U);
  EXPECT_EQ(registry.total(Counter::reports), 0U);
}

TEST(Counters, KeepDeferralsAndFailuresOfAClassApart) {
  Registry registry(2);
  const auto last = kBounceClasses.size() - 1;
  registry.shard(0).add(Refusal::deferred, last);
  registry.shard(1).add(Refusal::deferred, last);
  registry.shard(1).add(Refusal::failed, last);
  EXPECT_EQ(registry.total(Refusal::deferred, last), 2U);
  EXPECT_EQ(registry.total(Refusal::failed, last), 1U);
  EXPECT_EQ(registry.total(Refusal::failed, last - 1), 0U);
  EXPECT_EQ(registry.total(Refusal::deferred, 0), 0U);
}

TEST(Counters, NameEachClassOnce) {
  const std::set<std::string_view> names(kBounceClasses.begin(), kBounceClasses.end());
  EXPECT_EQ(names.size(), kBounceClasses.size());
}

TEST(Durations, FallIntoTheBucketWhoseBoundTheyDoNotExceed) {
  Registry registry(2);
  registry.shard(0).observe(Duration::spool_commit, 1ms);
  registry.shard(1).observe(Duration::spool_commit, 1ms + 1ns);
  registry.shard(1).observe(Duration::spool_commit, 2h);
  const auto seen = registry.total(Duration::spool_commit);
  EXPECT_EQ(seen.buckets[0], 1U) << "the bound belongs to its bucket";
  EXPECT_EQ(seen.buckets[1], 1U);
  EXPECT_EQ(seen.buckets.back(), 1U) << "beyond the last bound";
  EXPECT_NEAR(seen.sum, 7200.002, 1e-6);
}

TEST(Durations, ThatAreNegativeCountAsNothing) {
  Registry registry(1);
  registry.shard(0).observe(Duration::delivery, -5s);
  EXPECT_EQ(registry.total(Duration::delivery).buckets[0], 1U);
  EXPECT_EQ(registry.total(Duration::delivery).sum, 0);
}

TEST(Gauges, HoldTheLastValue) {
  Registry registry(1);
  EXPECT_EQ(registry.read(Gauge::ready), 0);
  registry.set(Gauge::ready, 1);
  registry.set(Gauge::ready, 0.5);
  EXPECT_EQ(registry.read(Gauge::ready), 0.5);
}

}  // namespace
}  // namespace relay::metrics
