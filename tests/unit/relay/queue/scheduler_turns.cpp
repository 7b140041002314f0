#include "tests/unit/relay/queue/fixture.hpp"

namespace relay::queue {
namespace {

QueueName smarthost(const std::string& name, Lane lane = Lane::normal) {
  return {{"smarthost/" + name}, lane};
}
QueueName mx(const std::string& domain) { return {{"mx/" + domain}, Lane::normal}; }

class SchedulerTurns : public SchedulerFixture {
 protected:
  void resolve(const QueueName& queue, const std::string& provider) {
    const auto asked = steps<schedule_step::Resolve>();
    ASSERT_EQ(asked.size(), 1U);
    ASSERT_EQ(asked[0].destination, queue.destination);
    scheduler().resolved(queue.destination, provider, SteadyTime::max());
  }
};

TEST_F(SchedulerTurns, GiveEachDestinationItsShareOfWhatMayBeInFlight) {
  limits.max_in_flight = 6;
  accept(500, smarthost("big"));
  auto under_way = starts();
  EXPECT_EQ(total(under_way), 6U) << "nobody else wants it";
  accept(3, smarthost("a"));
  accept(3, smarthost("b"));
  EXPECT_TRUE(starts().empty());
  finish(under_way);
  under_way = starts();
  EXPECT_EQ(total_of(under_way, {"smarthost/big"}), 2U);
  EXPECT_EQ(total_of(under_way, {"smarthost/a"}), 2U);
  EXPECT_EQ(total_of(under_way, {"smarthost/b"}), 2U);
}

TEST_F(SchedulerTurns, LetNobodyWaitForConnectionsThatOneTakesAgainAndAgain) {
  limits.max_connections_total = 2;
  limits.max_in_flight = 100;
  accept(500, smarthost("big"));
  auto under_way = starts();
  EXPECT_EQ(total(under_way), 4U) << "two connections";
  accept(1, smarthost("small"));
  EXPECT_TRUE(starts().empty());
  bool has_started = false;
  for (int round = 0; round < 3 && !has_started; ++round) {
    finish(under_way);  // all its connections end
    under_way = starts();
    has_started = total_of(under_way, {"smarthost/small"}) == 1;
    EXPECT_LE(scheduler().connections(), 2U);
  }
  EXPECT_TRUE(has_started);
}

TEST_F(SchedulerTurns, SpreadDestinationsOverShards) {
  for (const auto* name : {"a", "b", "c", "d"}) accept(1, smarthost(name));
  std::size_t on_first = 0;
  for (const auto& start : starts()) on_first += start.shard == 0 ? start.items.size() : 0;
  EXPECT_EQ(on_first, 2U);
}

TEST_F(SchedulerTurns, GiveBulkMailOneStartInTen) {
  shapes.fallback.max_connections = 1;
  limits.shards = 1;
  accept(100);
  accept(100, kBulkQueue);
  std::string order;
  for (int i = 0; i < 20; ++i) {
    const auto begun = starts();
    for (const auto& start : begun) {
      for (std::size_t n = 0; n < start.items.size(); ++n)
        order += start.queue.lane == Lane::bulk ? 'b' : 'n';
    }
    finish(begun);
  }
  EXPECT_EQ(order.substr(0, 30), "nnnnnnnnnbnnnnnnnnnbnnnnnnnnnb");
}

TEST_F(SchedulerTurns, GiveBulkMailAllWhenThereIsNoOther) {
  accept(100, kBulkQueue);
  const auto begun = starts();
  EXPECT_EQ(total(begun), 8U);
  EXPECT_EQ(begun[0].queue, kBulkQueue);
}

TEST_F(SchedulerTurns, OpenMoreConnectionsAsMailSucceeds) {
  shapes.fallback.max_connections = 20;
  accept(100);
  auto under_way = starts();
  EXPECT_EQ(total(under_way), 10U) << "five connections at first";
  for (int round = 0; round < 12; ++round) {
    for (std::size_t i = 0; i < total(under_way); ++i) scheduler().judged(kHop);
    finish(under_way);
    accept(static_cast<int>(total(under_way)));
    under_way = starts();
  }
  EXPECT_EQ(total(under_way), 40U) << "twenty in the end";
}

TEST_F(SchedulerTurns, WakeForTheNextTokenExactly) {
  shapes.fallback.message_rate = Rate{60, 1h};
  accept(3);
  for (int i = 0; i < 3; ++i) {
    const auto begun = starts();
    ASSERT_EQ(total(begun), 1U);
    finish(begun);
    EXPECT_TRUE(starts().empty());
    EXPECT_EQ(scheduler().wake_at(now), now.steady + 1min);
    wait(1min - 1ms);
    EXPECT_TRUE(starts().empty());
    wait(1ms);
  }
}

TEST_F(SchedulerTurns, DoNotForgetARateWhenTheMailIsGone) {
  shapes.fallback.message_rate = Rate{60, 1h};
  accept(1);
  finish(starts());
  EXPECT_TRUE(starts().empty());
  EXPECT_EQ(scheduler().destinations(), 1U);
  accept(1);
  EXPECT_TRUE(starts().empty());
  wait(1min);
  finish(starts());
  wait(1min);
  starts();
  EXPECT_EQ(scheduler().destinations(), 0U);
}

TEST_F(SchedulerTurns, GiveBackTheTokenOfWhatWasNotTried) {
  shapes.fallback.message_rate = Rate{60, 1h};
  accept(1);
  put_back(starts());
  EXPECT_EQ(total(starts()), 1U);
}

TEST_F(SchedulerTurns, OpenConnectionsAtTheirRate) {
  shapes.fallback.connection_rate = Rate{60, 1h};
  limits.shards = 1;
  accept(20);
  const auto first = starts();
  EXPECT_EQ(total(first), 2U) << "one connection, and one message behind";
  EXPECT_EQ(first[0].max_connections, 1U);
  EXPECT_EQ(scheduler().wake_at(now), now.steady + 1min);
  scheduler().connection_ready(kHop, 0);
  scheduler().connection_closed(kHop, 0);
  scheduler().connection_ready(kHop, 0);  // opened anew for the second, out of turn
  starts();
  EXPECT_EQ(scheduler().wake_at(now), now.steady + 2min);
  wait(2min);
  EXPECT_EQ(total(starts()), 2U);
}

TEST_F(SchedulerTurns, AskWhoseServersTheyAreBeforeTheFirstStart) {
  accept(2, mx("example.org"));
  const auto steps_now = scheduler().plan(now);
  ASSERT_EQ(steps_now.size(), 1U);
  EXPECT_EQ(std::get<schedule_step::Resolve>(steps_now[0]).destination, mx("example.org").destination);
  accept(2, mx("example.org"));
  EXPECT_TRUE(scheduler().plan(now).empty()) << "one question at a time";
  scheduler().resolved(mx("example.org").destination, "", now.steady + 1h);
  EXPECT_EQ(total(starts()), 4U);
}

TEST_F(SchedulerTurns, GoOnWithAStaleProviderWhileTheyAskAgain) {
  accept(1, mx("example.org"));
  EXPECT_EQ(steps<schedule_step::Resolve>().size(), 1U);
  scheduler().resolved(mx("example.org").destination, "big", now.steady + 1h);
  EXPECT_EQ(total(starts()), 1U);
  wait(1h);
  EXPECT_TRUE(steps<schedule_step::Resolve>().empty()) << "nothing is due";
  accept(1, mx("example.org"));
  const auto planned = scheduler().plan(now);
  ASSERT_EQ(planned.size(), 2U);
  EXPECT_TRUE(std::holds_alternative<schedule_step::Resolve>(planned[0]));
  EXPECT_TRUE(std::holds_alternative<schedule_step::Start>(planned[1]));
  EXPECT_EQ(scheduler().state(mx("example.org").destination, now)->provider, "big");
}

TEST_F(SchedulerTurns, ShapeADestinationByItsProvider) {
  shapes.of["big"] = shapes.fallback;
  shapes.of["big"].max_connections = 1;
  accept(20, mx("a.example"));
  resolve(mx("a.example"), "big");
  EXPECT_EQ(total(starts()), 2U);
}

TEST_F(SchedulerTurns, LimitTheConnectionsOfAllDestinationsOfOneProvider) {
  shapes.of_providers["big"] = {.max_connections = 3, .message_rate = {}};
  for (const auto* name : {"a", "b", "c", "d"}) {
    accept(10, mx(name));
    resolve(mx(name), "big");
  }
  std::map<std::string, std::size_t> had;
  for (int round = 0; round < 20; ++round) {
    const auto under_way = starts();
    EXPECT_LE(scheduler().connections(), 3U);
    EXPECT_LE(total(under_way), 6U);
    for (const auto& start : under_way) had[start.queue.destination.name] += start.items.size();
    if (round == 1) EXPECT_EQ(had.size(), 4U) << "all have had a turn";
    finish(under_way);
  }
  for (const auto& [name, count] : had) EXPECT_EQ(count, 10U) << name;
}

TEST_F(SchedulerTurns, LimitTheRateOfAllDestinationsOfOneProvider) {
  shapes.of_providers["big"] = {.max_connections = 100, .message_rate = Rate{60, 1h}};
  for (const auto* name : {"a", "b"}) {
    accept(3, mx(name));
    resolve(mx(name), "big");
  }
  std::vector<std::string> order;
  for (int i = 0; i < 6; ++i) {
    const auto begun = starts();
    ASSERT_EQ(total(begun), 1U);
    order.push_back(begun[0].queue.destination.name);
    finish(begun);
    EXPECT_TRUE(starts().empty());
    EXPECT_EQ(scheduler().wake_at(now), now.steady + 1min);
    wait(1min);
  }
  // The second of a waited before b was there.
  EXPECT_EQ(order, (std::vector<std::string>{"mx/a", "mx/a", "mx/b", "mx/a", "mx/b", "mx/b"}));
}

TEST_F(SchedulerTurns, TakeNewShapesAtOnce) {
  accept(100);
  EXPECT_EQ(total(starts()), 8U);
  shapes.fallback.max_connections = 6;
  scheduler().reload();
  EXPECT_EQ(total(starts()), 0U) << "its window grows by success";
  scheduler().judged(kHop);
  for (int i = 0; i < 4; ++i) scheduler().judged(kHop);
  EXPECT_GT(total(starts()), 0U);
}

TEST_F(SchedulerTurns, HoldNoMoreInMemoryThanThereIsRoomFor) {
  limits.max_in_memory = 50;
  limits.max_in_flight = 1;
  for (int i = 0; i < 30; ++i) accept(10, smarthost(std::to_string(i)));
  EXPECT_LE(scheduler().in_memory(), 51U);
  EXPECT_EQ(total(starts()), 1U);
  EXPECT_LE(scheduler().in_memory(), 50U + 30U) << "and one of each that has none there";
}

}  // namespace
}  // namespace relay::queue
