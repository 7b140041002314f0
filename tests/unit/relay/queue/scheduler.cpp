#include "relay/queue/scheduler.hpp"

#include <gtest/gtest.h>

namespace relay::queue {
namespace {

using namespace std::chrono_literals;

const Destination kHop{"smarthost/default"};
const WallTime kWall{milliseconds{1'000'000'000'000}};

struct Middle : Jitter {
  double fraction() override { return 0.5; }
};

class SchedulerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    scheduler.add(kHop);
    starts();  // the disk is empty
  }

  Middle jitter;
  Scheduler scheduler{{.shards = 2, .max_connections = 4, .retry = {1min, 1h, 120h}}, jitter};
  Now now{kWall, SteadyTime{} + 1h};
  std::uint64_t next_number = 1;

  void wait(milliseconds duration) {
    now.wall += duration;
    now.steady += duration;
  }
  void accept(int count) {
    for (int i = 0; i < count; ++i) {
      const QueueId id{1, next_number++};
      scheduler.announce(kHop, id);
      scheduler.admit(kHop, {{now.wall, id}, now.wall, 0, 10}, now);
    }
  }
  /// Answers loads with an empty disk; gives the starts.
  std::vector<schedule_step::Start> starts() {
    std::vector<schedule_step::Start> starts;
    for (int round = 0; round < 3; ++round) {
      for (const auto& step : scheduler.plan(now)) {
        if (const auto* load = std::get_if<schedule_step::Load>(&step))
          scheduler.loaded(load->destination, {}, std::nullopt);
        if (const auto* start = std::get_if<schedule_step::Start>(&step)) starts.push_back(*start);
      }
    }
    return starts;
  }
  static std::size_t total(const std::vector<schedule_step::Start>& starts) {
    std::size_t sum = 0;
    for (const auto& start : starts) sum += start.items.size();
    return sum;
  }
};

TEST_F(SchedulerTest, StartsWhatIsDueOnAllShardsUpToTheLimit) {
  accept(20);
  const auto first = starts();
  EXPECT_EQ(total(first), 8U) << "twice the connections";
  ASSERT_EQ(first.size(), 2U);
  EXPECT_EQ(first[0].items.size(), first[1].items.size());
  EXPECT_TRUE(starts().empty());
  scheduler.finished(kHop, first[0].items[0].key.id, first[0].shard);
  EXPECT_EQ(total(starts()), 1U);
}

TEST_F(SchedulerTest, SuspendsAHopThatFailsAndProbesItWithOneMessage) {
  accept(20);
  const auto first = starts();
  for (const auto& start : first) {
    for (const auto& item : start.items) scheduler.put_back(kHop, item.key.id, start.shard);
  }
  for (int i = 0; i < 8; ++i) scheduler.hop_failed(kHop, "refused", now);
  EXPECT_TRUE(starts().empty());
  EXPECT_EQ(scheduler.states().front().last_failure, "refused");
  ASSERT_TRUE(scheduler.wake_at(now));
  wait(1min);
  EXPECT_EQ(total(starts()), 1U) << "eight connections failed at once: one failure, one delay, one probe";
  scheduler.connection_ready(kHop, 0);
  EXPECT_EQ(total(starts()), 7U);
}

TEST_F(SchedulerTest, DoublesTheHopsDelayUntilItIsReady) {
  accept(1);
  for (const auto delay : {1min, 2min, 4min}) {
    const auto start = starts();
    ASSERT_EQ(total(start), 1U);
    scheduler.put_back(kHop, start[0].items[0].key.id, start[0].shard);
    scheduler.hop_failed(kHop, "refused", now);
    wait(delay - 1s);
    EXPECT_TRUE(starts().empty());
    wait(1s);
  }
}

TEST_F(SchedulerTest, ResumesAtOnceWhenToldSo) {
  accept(5);
  for (const auto& start : starts()) {
    for (const auto& item : start.items) scheduler.put_back(kHop, item.key.id, start.shard);
  }
  scheduler.hop_failed(kHop, "535 bad credentials", now);
  EXPECT_TRUE(starts().empty());
  scheduler.resume(kHop, now);
  EXPECT_EQ(total(starts()), 1U) << "a probe first";
}

TEST_F(SchedulerTest, DoesNotGrowWhereAFurtherConnectionIsRefused) {
  scheduler.connection_ready(kHop, 1);
  scheduler.hop_failed(kHop, "421 too many connections", now);
  accept(20);
  const auto limited = starts();
  ASSERT_EQ(limited.size(), 1U);
  EXPECT_EQ(limited[0].shard, 1U) << "where the connection is";
  EXPECT_EQ(limited[0].items.size(), 2U);
  EXPECT_FALSE(limited[0].may_connect);
  wait(31s);
  EXPECT_EQ(total(starts()), 6U);
}

TEST_F(SchedulerTest, WakesForADeferredMessage) {
  accept(1);
  const auto start = starts();
  const auto id = start[0].items[0].key.id;
  scheduler.finished(kHop, id, start[0].shard);
  scheduler.admit(kHop, {{now.wall + 90s, id}, now.wall, 1, 10}, now);
  EXPECT_EQ(scheduler.wake_at(now), now.steady + 90s);
}

TEST_F(SchedulerTest, WaitsAsLongAsARaisedMaximumSays) {
  // With the old one such a due time would be taken for that of a clock that was set back, and be due at once.
  scheduler.set_retry({1min, 24h, 120h});
  const QueueId id{1, next_number++};
  scheduler.announce(kHop, id);
  scheduler.admit(kHop, {{now.wall + 20h, id}, now.wall, 8, 10}, now);
  EXPECT_TRUE(starts().empty());
}

TEST_F(SchedulerTest, GivesUpWhatIsTooOldAlsoWhileTheHopIsDown) {
  accept(2);
  for (const auto& start : starts()) {
    for (const auto& item : start.items) scheduler.put_back(kHop, item.key.id, start.shard);
  }
  scheduler.hop_failed(kHop, "refused", now);
  wait(121h);
  std::size_t expired = 0;
  for (const auto& step : scheduler.plan(now)) {
    if (const auto* expire = std::get_if<schedule_step::Expire>(&step)) expired += expire->items.size();
  }
  EXPECT_EQ(expired, 2U);
}

TEST_F(SchedulerTest, LetsOthersStartWhileOneCannotBeRead) {
  scheduler.hop_failed(kHop, "refused", now);
  wait(2min);
  accept(2);
  const auto first = starts();
  ASSERT_EQ(total(first), 1U) << "one message probes";
  EXPECT_EQ(total(starts()), 0U);
  scheduler.release(kHop, first[0].shard);
  const auto second = starts();
  ASSERT_EQ(total(second), 1U);
  EXPECT_NE(second[0].items[0].key.id, first[0].items[0].key.id);
  scheduler.put_back(kHop, first[0].items[0].key.id, kNoShard);
  EXPECT_EQ(total(starts()), 0U) << "the probe is still under way";
}

TEST_F(SchedulerTest, StartsNothingWhilePaused) {
  accept(5);
  scheduler.pause(true);
  EXPECT_TRUE(starts().empty());
  EXPECT_FALSE(scheduler.wake_at(now));
  scheduler.pause(false);
  EXPECT_EQ(total(starts()), 5U);
}

}  // namespace
}  // namespace relay::queue
