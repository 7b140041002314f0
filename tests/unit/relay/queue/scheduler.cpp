#include "relay/queue/scheduler.hpp"

#include <algorithm>

#include "tests/unit/relay/queue/fixture.hpp"

namespace relay::queue {
namespace {

class SchedulerTest : public SchedulerFixture {
 protected:
  void SetUp() override {
    scheduler().add(kQueue);
    starts();  // the disk is empty
  }
};

TEST_F(SchedulerTest, StartsWhatIsDueOnAllShardsUpToTheLimit) {
  accept(20);
  const auto first = starts();
  EXPECT_EQ(total(first), 8U) << "twice the connections";
  ASSERT_EQ(first.size(), 2U);
  EXPECT_EQ(first[0].items.size(), first[1].items.size());
  EXPECT_TRUE(starts().empty());
  scheduler().finished(kQueue, first[0].items[0].key.id, first[0].shard);
  EXPECT_EQ(total(starts()), 1U);
}

TEST_F(SchedulerTest, SuspendsAHopThatFailsAndProbesItWithOneMessage) {
  accept(20);
  const auto first = starts();
  put_back(first);
  for (int i = 0; i < 8; ++i) scheduler().hop_failed(kHop, "refused", now);
  EXPECT_TRUE(starts().empty());
  EXPECT_EQ(scheduler().states(now, 1).front().last_failure, "refused");
  ASSERT_TRUE(scheduler().wake_at(now));
  wait(1min);
  EXPECT_EQ(total(starts()), 1U) << "eight connections failed at once: one failure, one delay, one probe";
  scheduler().connection_ready(kHop, 0);
  EXPECT_EQ(total(starts()), 0U) << "it may greet us and refuse all mail";
  scheduler().judged(kHop);
  EXPECT_EQ(total(starts()), 7U);
}

TEST_F(SchedulerTest, DoublesTheHopsDelayUntilItJudgesAMessage) {
  accept(1);
  for (const auto delay : {1min, 2min, 4min}) {
    const auto start = starts();
    ASSERT_EQ(total(start), 1U);
    scheduler().connection_ready(kHop, start[0].shard);
    scheduler().connection_closed(kHop, start[0].shard);
    scheduler().put_back(kQueue, start[0].items[0].key.id, start[0].shard);
    scheduler().hop_failed(kHop, "refused", now);
    wait(delay - 1s);
    EXPECT_TRUE(starts().empty());
    wait(1s);
  }
}

TEST_F(SchedulerTest, ResumesAtOnceWhenToldSo) {
  accept(5);
  put_back(starts());
  scheduler().hop_failed(kHop, "535 bad credentials", now);
  EXPECT_TRUE(starts().empty());
  scheduler().hurry(kHop, now);
  EXPECT_EQ(total(starts()), 1U) << "a probe first";
}

TEST_F(SchedulerTest, HurriesAllDestinationsButTheSuspended) {
  const Destination other{"smarthost/other"};
  const Destination held{"smarthost/held"};
  for (const auto& queue : {kQueue, QueueName{other, Lane::bulk}, QueueName{held, Lane::normal}})
    accept(1, queue);
  put_back(starts());
  for (const auto& destination : {kHop, other, held}) scheduler().hop_failed(destination, "refused", now);
  scheduler().suspend(held, std::nullopt);
  EXPECT_TRUE(starts().empty());
  scheduler().hurry_all(now);
  const auto begun = starts();
  EXPECT_EQ(total_of(begun, kHop), 1U);
  EXPECT_EQ(total_of(begun, other), 1U) << "whichever lane it is in";
  EXPECT_EQ(total_of(begun, held), 0U) << "a person's word stands";
}

TEST_F(SchedulerTest, BacksOffOnFromAHopThatFailsAgainWhenAllIsHurried) {
  accept(5);
  for (const auto delay : {1min, 2min, 4min, 8min}) {
    put_back(starts());
    scheduler().hop_failed(kHop, "refused", now);
    EXPECT_EQ(scheduler().state(kHop, now)->suspended_until, now.steady + delay);
    wait(1s);
    scheduler().hurry_all(now);
    EXPECT_EQ(scheduler().failing("smarthost/"), kHop.name) << "until it has judged a message";
  }
}

TEST_F(SchedulerTest, BacksOffAnewFromAHopThatIsAnotherNow) {
  accept(5);
  for (int i = 0; i < 3; ++i) {
    const auto begun = starts();
    EXPECT_GE(total(begun), 1U) << "a probe at least";
    put_back(begun);
    scheduler().hop_failed(kHop, "535 bad credentials", now);
    EXPECT_EQ(scheduler().state(kHop, now)->suspended_until, now.steady + 1min);
    wait(1s);
    scheduler().renew_all(now);
    EXPECT_EQ(scheduler().failing("smarthost/"), "");
  }
}

TEST_F(SchedulerTest, HurriesAllWhileThereIsNothing) {
  scheduler().hurry_all(now);
  EXPECT_TRUE(starts().empty());
}

TEST_F(SchedulerTest, DoesNotGrowWhereAFurtherConnectionIsRefused) {
  scheduler().connection_ready(kHop, 1);
  scheduler().hop_failed(kHop, "421 too many connections", now);
  accept(20);
  const auto limited = starts();
  ASSERT_EQ(limited.size(), 1U);
  EXPECT_EQ(limited[0].shard, 1U) << "where the connection is";
  EXPECT_EQ(limited[0].items.size(), 2U);
  EXPECT_EQ(limited[0].max_connections, 1U);
  EXPECT_EQ(scheduler().wake_at(now), now.steady + 30s);
  wait(30s);
  EXPECT_EQ(total(starts()), 4U) << "up to one connection less than before";
}

TEST_F(SchedulerTest, WakesForADeferredMessage) {
  accept(1);
  const auto start = starts();
  const auto id = start[0].items[0].key.id;
  scheduler().finished(kQueue, id, start[0].shard);
  scheduler().admit(kQueue, {{now.wall + 90s, id}, now.wall, 1, 10}, now);
  EXPECT_TRUE(starts().empty());
  EXPECT_EQ(scheduler().wake_at(now), now.steady + 90s);
}

TEST_F(SchedulerTest, WaitsAsLongAsARaisedMaximumSays) {
  // With the old one such a due time would be taken for that of a clock that was set back, and be due at once.
  accept(1);
  ASSERT_EQ(total(starts()), 1U);
  shapes.fallback.retry = {1min, 24h, 120h};
  scheduler().reload();
  const QueueId id{1, next_number++};
  scheduler().announce(kQueue, id);
  scheduler().admit(kQueue, {{now.wall + 20h, id}, now.wall, 8, 10}, now);
  EXPECT_TRUE(starts().empty());
}

TEST_F(SchedulerTest, GivesUpWhatIsTooOldAlsoWhileTheHopIsDown) {
  accept(2);
  put_back(starts());
  scheduler().hop_failed(kHop, "refused", now);
  wait(121h);
  std::size_t expired = 0;
  for (const auto& step : scheduler().plan(now)) {
    if (const auto* expire = std::get_if<schedule_step::Expire>(&step)) expired += expire->items.size();
  }
  EXPECT_EQ(expired, 2U);
}

TEST_F(SchedulerTest, LetsOthersStartWhileOneCannotBeRead) {
  scheduler().hop_failed(kHop, "refused", now);
  wait(2min);
  accept(2);
  const auto first = starts();
  ASSERT_EQ(total(first), 1U) << "one message probes";
  EXPECT_EQ(total(starts()), 0U);
  scheduler().release(kHop, first[0].shard);
  const auto second = starts();
  ASSERT_EQ(total(second), 1U);
  EXPECT_NE(second[0].items[0].key.id, first[0].items[0].key.id);
  scheduler().put_back(kQueue, first[0].items[0].key.id, kNoShard);
  EXPECT_EQ(total(starts()), 0U) << "the probe is still under way";
}

TEST_F(SchedulerTest, GivesUpByTheAgeOfEachDestination) {
  const QueueName brief{{"smarthost/brief"}, Lane::normal};
  shapes.of["smarthost/brief"] = shapes.fallback;
  shapes.of["smarthost/brief"].retry.max_age = 2h;
  scheduler().hop_failed(kHop, "refused", now);
  scheduler().hop_failed(brief.destination, "refused", now);
  accept(1);
  accept(1, brief);
  EXPECT_TRUE(starts().empty());
  for (int i = 0; i < 200 && now.wall < kWall + 2h; ++i) {
    const auto wake = scheduler().wake_at(now);
    ASSERT_TRUE(wake);
    wait(std::chrono::ceil<milliseconds>(*wake - now.steady));
    if (now.wall > kWall + 2h) break;
    for (const auto& probe : starts()) {
      put_back({probe});
      scheduler().hop_failed(probe.queue.destination, "refused", now);
    }
    EXPECT_TRUE(starts().empty());
  }
  const auto expired = steps<schedule_step::Expire>();
  ASSERT_EQ(expired.size(), 1U);
  EXPECT_EQ(expired[0].queue, brief);
  EXPECT_LE(now.wall, kWall + 2h + 1min);
}

TEST_F(SchedulerTest, StartsNothingWhilePaused) {
  accept(5);
  scheduler().pause(true);
  EXPECT_TRUE(starts().empty());
  EXPECT_FALSE(scheduler().wake_at(now));
  scheduler().pause(false);
  EXPECT_EQ(total(starts()), 5U);
}

TEST_F(SchedulerTest, VisitsNoIdleDestination) {
  constexpr std::size_t kDestinations = 100'000;
  for (std::size_t i = 0; i < kDestinations; ++i) {
    const QueueName queue{{"smarthost/" + std::to_string(i)}, Lane::normal};
    const QueueId id{1, next_number++};
    scheduler().announce(queue, id);
    scheduler().admit(queue, {{now.wall + 1h, id}, now.wall, 1, 10}, now);  // deferred
  }
  EXPECT_TRUE(starts().empty());
  EXPECT_EQ(scheduler().destinations(), kDestinations);
  const auto visits = scheduler().visits();
  const auto asked = shapes.asked;
  for (int i = 0; i < 100; ++i) {
    wait(1s);
    EXPECT_TRUE(scheduler().plan(now).empty());
  }
  EXPECT_EQ(scheduler().visits(), visits);
  accept(1, {{"smarthost/7"}, Lane::normal});
  EXPECT_EQ(total(starts()), 1U);
  EXPECT_LE(scheduler().visits(), visits + 3) << "one destination";
  EXPECT_EQ(scheduler().states(now, 10).size(), 10U);
  EXPECT_EQ(shapes.asked, asked);
  EXPECT_EQ(scheduler().wake_at(now), SteadyTime{} + 2h);
}

TEST_F(SchedulerTest, ReadsOnAsSoonAsStartsLeaveItsWindowLow) {
  shapes.fallback.warn_after = 0ms;  // no reading for that
  scheduler().add({{"smarthost/long"}, Lane::normal});
  auto planned = scheduler().plan(now);
  ASSERT_EQ(planned.size(), 1U);
  const auto load = std::get<schedule_step::Load>(planned[0]);
  std::vector<Item> items;
  const auto more_than_half = load.what.limit / 2 + 1;
  for (std::uint64_t i = 0; i < more_than_half; ++i)
    items.push_back({{now.wall, {1, 1000 + i}}, now.wall, 0, 10});
  scheduler().loaded(load.queue, items, now.wall);
  planned = scheduler().plan(now);
  const auto is_load = [](const ScheduleStep& step) {
    return std::holds_alternative<schedule_step::Load>(step);
  };
  EXPECT_EQ(std::count_if(planned.begin(), planned.end(), is_load), 1);
  EXPECT_GT(planned.size(), 1U) << "and messages start";
}

TEST_F(SchedulerTest, DropsADestinationThatNothingIsKnownOf) {
  EXPECT_EQ(scheduler().destinations(), 0U) << "its disk is empty";
  accept(2);
  const auto first = starts();
  scheduler().connection_ready(kHop, first[0].shard);
  finish(first);
  starts();
  EXPECT_EQ(scheduler().destinations(), 1U) << "a connection is open";
  scheduler().connection_closed(kHop, first[0].shard);
  starts();
  EXPECT_EQ(scheduler().destinations(), 0U);
  EXPECT_FALSE(scheduler().wake_at(now));
  EXPECT_EQ(scheduler().in_memory() + scheduler().in_flight() + scheduler().connections(), 0U);
}

TEST_F(SchedulerTest, RemembersASuspendedHopUntilItsTimeIsOver) {
  scheduler().hop_failed(kHop, "refused", now);
  starts();
  EXPECT_EQ(scheduler().destinations(), 1U);
  EXPECT_EQ(scheduler().wake_at(now), now.steady + 1min);
  wait(1min);
  starts();
  EXPECT_EQ(scheduler().destinations(), 0U);
}

TEST_F(SchedulerTest, StartsNothingThatAPersonSuspended) {
  accept(3);
  scheduler().suspend(kHop, std::nullopt);
  EXPECT_TRUE(starts().empty());
  scheduler().hurry(kHop, now);
  EXPECT_TRUE(starts().empty()) << "a person's word stands";
  EXPECT_TRUE(scheduler().state(kHop, now)->is_suspended);
  scheduler().unsuspend(kHop);
  EXPECT_EQ(total(starts()), 3U);
}

TEST_F(SchedulerTest, EndsAPersonsSuspensionAtItsTime) {
  accept(3);
  scheduler().suspend(kHop, now.steady + 10min);
  EXPECT_TRUE(starts().empty());
  EXPECT_EQ(scheduler().wake_at(now), now.steady + 10min);
  wait(10min);
  EXPECT_EQ(total(starts()), 3U);
}

TEST_F(SchedulerTest, HurriesOneMessageThatIsInMemory) {
  accept(1);
  const auto start = starts();
  const auto id = start[0].items[0].key.id;
  EXPECT_EQ(scheduler().hurry_one(kQueue, id), Whereabouts::flight);
  finish(start);
  scheduler().admit(kQueue, {{now.wall + 1h, id}, now.wall, 1, 10}, now);
  EXPECT_TRUE(starts().empty());
  EXPECT_EQ(scheduler().hurry_one(kQueue, id), Whereabouts::disk) << "the owner gives it another key";
  scheduler().admit(kQueue, {{now.wall, id}, now.wall, 1, 10}, now);
  EXPECT_EQ(total(starts()), 1U);
}

TEST_F(SchedulerTest, ForgetsAMessageThatAPersonDeletes) {
  scheduler().hop_failed(kHop, "refused", now);
  accept(2);
  EXPECT_FALSE(scheduler().forget(kQueue, {1, 1}));
  scheduler().withdraw(kQueue, {1, 1});
  wait(1min);
  const auto start = starts();
  ASSERT_EQ(total(start), 1U);
  EXPECT_EQ(start[0].items[0].key.id.number, 2U);
  EXPECT_TRUE(scheduler().forget(kQueue, {1, 2})) << "in flight: its end is waited for";
}

TEST_F(SchedulerTest, HasWorkUntilAllThatIsDueIsDoneWith) {
  EXPECT_FALSE(scheduler().has_work(now));
  scheduler().announce(kQueue, {1, 100});
  EXPECT_TRUE(scheduler().has_work(now)) << "it is being committed";
  scheduler().withdraw(kQueue, {1, 100});
  EXPECT_FALSE(scheduler().has_work(now));
  accept(1);
  EXPECT_TRUE(scheduler().has_work(now)) << "it is due";
  const auto start = starts();
  EXPECT_TRUE(scheduler().has_work(now)) << "it is in flight";
  finish(start);
  EXPECT_FALSE(scheduler().has_work(now));
}

TEST_F(SchedulerTest, HasNoWorkInWhatWaitsForALaterAttempt) {
  accept(1);
  const auto start = starts();
  const auto item = start.at(0).items.at(0);
  scheduler().judged(kHop);
  finish(start);
  scheduler().admit(kQueue, {{now.wall + 1min, item.key.id}, now.wall, 1, 10}, now);
  EXPECT_FALSE(scheduler().has_work(now)) << "it was deferred";
  wait(1min);
  EXPECT_TRUE(scheduler().has_work(now));
}

TEST_F(SchedulerTest, HasNoWorkForAHopThatFailsNorForOneThatAPersonSuspended) {
  accept(2);
  put_back(starts());
  scheduler().hop_failed(kHop, "refused", now);
  EXPECT_FALSE(scheduler().has_work(now));
  wait(1min);
  ASSERT_EQ(total(starts()), 1U) << "it is probed";
  EXPECT_FALSE(scheduler().has_work(now)) << "and has not taken anything yet";
  scheduler().judged(kHop);
  EXPECT_TRUE(scheduler().has_work(now));
  scheduler().suspend(kHop, std::nullopt);
  EXPECT_FALSE(scheduler().has_work(now));
}

TEST_F(SchedulerTest, HasNoWorkWhilePaused) {
  accept(1);
  scheduler().pause(true);
  EXPECT_FALSE(scheduler().has_work(now));
}

TEST_F(SchedulerTest, HasWorkWhileTheDiskIsRead) {
  scheduler().add({{"smarthost/other"}, Lane::normal});
  EXPECT_TRUE(scheduler().has_work(now)) << "there may be some";
  const auto loads = scheduler().plan(now);
  ASSERT_EQ(loads.size(), 1U);
  EXPECT_TRUE(scheduler().has_work(now)) << "it is being read";
  scheduler().loaded(std::get<schedule_step::Load>(loads[0]).queue, {}, std::nullopt);
  EXPECT_FALSE(scheduler().has_work(now));
}

TEST_F(SchedulerTest, NamesADestinationThatFailsUntilItJudgesAMessage) {
  accept(1);
  accept(1, {{"smarthost/zz"}, Lane::normal});
  accept(1, {{"mx/a.test"}, Lane::normal});
  EXPECT_EQ(scheduler().failing("smarthost/"), "");
  scheduler().hop_failed({"mx/a.test"}, "refused", now);
  EXPECT_EQ(scheduler().failing("smarthost/"), "") << "none of these";
  put_back(starts());
  scheduler().hop_failed({"smarthost/zz"}, "refused", now);
  EXPECT_EQ(scheduler().failing("smarthost/"), "smarthost/zz");
  wait(1min);
  (void)starts();
  EXPECT_EQ(scheduler().failing("smarthost/"), "smarthost/zz") << "a probe changes nothing";
  scheduler().judged({"smarthost/zz"});
  EXPECT_EQ(scheduler().failing("smarthost/"), "");
}

TEST_F(SchedulerTest, NamesNoDestinationThatFailsAndHasNoMail) {
  accept(1);
  const auto begun = starts();
  scheduler().hop_failed(kHop, "refused", now);
  EXPECT_EQ(scheduler().failing("smarthost/"), kHop.name) << "in flight";
  put_back(begun);
  EXPECT_EQ(scheduler().failing("smarthost/"), kHop.name) << "waiting";
  const auto id = begun.front().items.front().key.id;
  EXPECT_FALSE(scheduler().forget(kQueue, id));
  scheduler().withdraw(kQueue, id);
  EXPECT_EQ(scheduler().failing("smarthost/"), "") << "a person deleted it";
}

TEST_F(SchedulerTest, NamesTheDestinationsThatItServes) {
  const Destination other{"smarthost/other"};
  accept(1);
  accept(1, {other, Lane::bulk});
  accept(1, {{"mx/a.test"}, Lane::normal});
  EXPECT_EQ(scheduler().served("smarthost/", now), (std::vector{kHop, other}));
  scheduler().suspend(other, now.steady + 1min);
  EXPECT_EQ(scheduler().served("smarthost/", now), std::vector{kHop});
  wait(1min);
  EXPECT_EQ(scheduler().served("smarthost/", now), (std::vector{kHop, other})) << "the suspension is over";
  finish(starts());
  EXPECT_TRUE(scheduler().served("smarthost/", now).empty()) << "all is delivered";
}

TEST_F(SchedulerTest, TellsWhatGoesOn) {
  accept(20);
  accept(3, {{"smarthost/other"}, Lane::bulk});
  const auto first = starts();
  scheduler().connection_ready(kHop, 0);
  const auto states = scheduler().states(now, 1);
  ASSERT_EQ(states.size(), 1U);
  EXPECT_EQ(states[0].destination, kHop) << "most wait for it";
  EXPECT_EQ(states[0].waiting_in_memory[0], 12U);
  EXPECT_EQ(states[0].in_flight, 8U);
  EXPECT_EQ(states[0].connections_ready, 1U);
  EXPECT_EQ(states[0].concurrency_window, 4U);
  EXPECT_EQ(states[0].oldest_arrival, now.wall);
  EXPECT_EQ(states[0].next_due, now.wall);
  EXPECT_EQ(scheduler().states(now, 10).size(), 2U);
  EXPECT_EQ(scheduler().in_flight(), 11U);
}

}  // namespace
}  // namespace relay::queue
