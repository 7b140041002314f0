// What the scheduler does with what is late: its sender is warned, whether or not it is tried.

#include <algorithm>
#include <set>

#include "tests/unit/relay/queue/fixture.hpp"

namespace relay::queue {
namespace {

/// A destination whose hop is down, and its disk.
class WarnTest : public SchedulerFixture {
 protected:
  void SetUp() override {
    shapes.fallback.warn_after = 4h;
    scheduler().hop_failed(kHop, "refused", now);
  }

  Item store(const QueueName& queue, WallTime arrival, bool is_warned = false) {
    const Item item{{arrival, {1, next_number++}}, arrival, 0, 10, arrival, is_warned};
    disks[queue].emplace(item.key, item);
    return item;
  }
  /// As accepted now.
  void take_in(int count, const QueueName& queue = kQueue) {
    for (int i = 0; i < count; ++i) {
      scheduler().announce(queue, {1, next_number});
      const auto item = store(queue, now.wall);
      scheduler().admit(queue, item, now);
    }
  }

  /// Does what the schedule asks for until that is nothing more; no attempt succeeds.
  void run() {
    for (auto planned = scheduler().plan(now); !planned.empty(); planned = scheduler().plan(now)) {
      for (const auto& step : planned) std::visit([this](const auto& one) { take(one); }, step);
      if (holds_warnings) return;
    }
  }
  void run_until(SteadyTime end) {
    run();
    while (true) {
      const auto wake = scheduler().wake_at(now);
      if (!wake || *wake > end) break;
      wait(std::max(std::chrono::ceil<milliseconds>(*wake - now.steady), 1ms));
      run();
      ASSERT_FALSE(HasFailure());
    }
    wait(std::chrono::ceil<milliseconds>(end - now.steady));
  }

  void take(const schedule_step::Load& load) {
    const auto& [after, until, limit] = load.what;
    const auto& disk = disks[load.queue];
    std::vector<Item> items;
    auto at = after ? disk.upper_bound(*after) : disk.begin();
    for (; at != disk.end() && items.size() < limit && at->first.due <= until; ++at)
      items.push_back(at->second);
    if (until <= now.wall - shapes.fallback.warn_after) read_for_warnings += items.size();
    scheduler().loaded(load.queue, items, at == disk.end() ? std::nullopt : std::optional(at->first.due));
  }
  void take(const schedule_step::Start& start) {
    for (const auto& item : start.items) {
      EXPECT_FALSE(in_flight.contains(item.key.id));
      if (keeps_attempts) kept.push_back({start.queue, start.shard, {item}, 1});
      else scheduler().put_back(start.queue, item.key.id, start.shard);
    }
    if (!keeps_attempts) scheduler().hop_failed(start.queue.destination, "refused", now);
  }
  void take(const schedule_step::Warn& warn) {
    most_at_once = std::max(most_at_once, warn.items.size());
    for (const auto& item : warn.items) {
      EXPECT_GE(now.wall - item.arrival, shapes.fallback.warn_after);
      EXPECT_FALSE(item.sender_was_warned);
      warned.push_back({item.key.id, now.wall - item.arrival});
      if (!holds_warnings) answer(warn.queue, item);
      else EXPECT_TRUE(in_flight.insert(item.key.id).second);
    }
  }
  void take(const schedule_step::Expire&) { ADD_FAILURE() << "nothing is that old"; }
  void take(const schedule_step::Resolve&) {}
  void answer(const QueueName& queue, Item item) {
    EXPECT_EQ(disks[queue].erase(item.key), 1U);
    item.key.due += 1ms;
    item.sender_was_warned = true;
    disks[queue].emplace(item.key, item);
    scheduler().moved(queue, item, now);
  }
  std::set<QueueId> ids_warned() const {
    std::set<QueueId> ids;
    for (const auto& [id, age] : warned) ids.insert(id);
    return ids;
  }

  std::map<QueueName, std::map<ItemKey, Item>> disks;
  std::vector<std::pair<QueueId, milliseconds>> warned;  // with their ages
  std::set<QueueId> in_flight;
  std::vector<schedule_step::Start> kept;
  bool holds_warnings = false;
  bool keeps_attempts = false;
  std::size_t read_for_warnings = 0;
  std::size_t most_at_once = 0;
};

TEST_F(WarnTest, TellsTheSenderOfEveryMessageOnceWhileTheHopIsDown) {
  constexpr int kMessages = 1500;
  for (int i = 0; i < kMessages; ++i) {
    take_in(1, i % 3 == 0 ? kBulkQueue : kQueue);
    wait(100ms);
  }
  run_until(now.steady + 3h);
  EXPECT_TRUE(warned.empty()) << "too early";
  run_until(now.steady + 10h);
  EXPECT_EQ(warned.size(), static_cast<std::size_t>(kMessages));
  EXPECT_EQ(ids_warned().size(), static_cast<std::size_t>(kMessages)) << "of each";
  for (const auto& [id, age] : warned) EXPECT_LE(age, 4h + 2min) << id.number;
  EXPECT_LE(read_for_warnings, 2U * kMessages) << "the disk is read through once";
  EXPECT_LE(most_at_once, kLateAtOnce);
  EXPECT_LE(scheduler().in_memory(), 100U) << "a window of it";
  EXPECT_EQ(scheduler().in_flight(), 0U);
}

TEST_F(WarnTest, FindsAtStartWhoseSendersDoNotKnowYet) {
  std::set<QueueId> unknowing;
  for (int i = 0; i < 900; ++i) {
    const bool is_warned = i % 3 != 0;
    const auto item = store(kQueue, kWall - 5h + milliseconds{i}, is_warned);
    if (!is_warned) unknowing.insert(item.key.id);
  }
  store(kQueue, kWall - 3h);
  scheduler().add(kQueue);
  run_until(now.steady + 1min);
  EXPECT_EQ(warned.size(), unknowing.size());
  EXPECT_EQ(ids_warned(), unknowing);
}

TEST_F(WarnTest, TellsOfADeferredMessageOnceItIsDueAgainThoughItIsNotTried) {
  scheduler().suspend(kHop, std::nullopt);
  auto item = store(kQueue, now.wall - 210min);
  disks[kQueue].clear();
  item.key.due = now.wall + 1h;
  item.attempts = 7;
  disks[kQueue].emplace(item.key, item);
  scheduler().announce(kQueue, item.key.id);
  EXPECT_FALSE(scheduler().admit(kQueue, item, now)) << "on disk until it is due";
  run_until(now.steady + 50min);
  EXPECT_TRUE(warned.empty());
  run_until(now.steady + 11min);
  ASSERT_EQ(warned.size(), 1U);
  EXPECT_EQ(warned.front().first, item.key.id);
}

TEST_F(WarnTest, TellsOfWhatWasInFlightWhenItBecameLate) {
  take_in(30);
  keeps_attempts = true;
  run_until(now.steady + 5h);
  ASSERT_EQ(kept.size(), 1U) << "the probe";
  EXPECT_EQ(warned.size(), 29U);
  keeps_attempts = false;
  put_back(kept);
  run_until(now.steady + 1min);
  EXPECT_EQ(warned.size(), 30U);
  EXPECT_EQ(ids_warned().size(), 30U);
}

TEST_F(WarnTest, AsksAgainWhenItCouldNotBeRecorded) {
  take_in(5);
  holds_warnings = true;
  run_until(now.steady + 4h + 1min);
  ASSERT_EQ(warned.size(), 5U);
  for (const auto& id : in_flight) scheduler().put_back(kQueue, id, kNoShard);
  in_flight.clear();
  holds_warnings = false;
  run_until(now.steady + 1min);
  EXPECT_EQ(warned.size(), 10U);
  run_until(now.steady + 5h);
  EXPECT_EQ(warned.size(), 10U);
}

TEST_F(WarnTest, WaitsForThoseThatAreBeingRecorded) {
  take_in(3 * kLateAtOnce);
  holds_warnings = true;
  run_until(now.steady + 5h);
  const auto first = warned.size();
  EXPECT_GT(first, 0U);
  EXPECT_LE(first, kLateAtOnce);
  for (const auto& id : std::exchange(in_flight, {})) scheduler().put_back(kQueue, id, kNoShard);
  holds_warnings = false;
  run_until(now.steady + 5min);
  EXPECT_EQ(ids_warned().size(), 3 * kLateAtOnce);
}

TEST_F(WarnTest, TellsNobodyWithoutATimeForIt) {
  shapes.fallback.warn_after = 0ms;
  scheduler().reload();
  take_in(50);
  run_until(now.steady + 100h);
  EXPECT_TRUE(warned.empty());
}

TEST_F(WarnTest, AsksFirstWhoseMailServersTheyAre) {
  const QueueName far{{"mx/far.example"}, Lane::normal};
  shapes.of["patient"] = shapes.fallback;
  shapes.of["patient"].warn_after = 200h;
  shapes.of["patient"].retry.max_age = 500h;
  const auto item = store(far, kWall - 130h);  // too old for all others
  scheduler().add(far);
  bool is_asked = false;
  for (int round = 0; round < 5; ++round) {
    for (const auto& step : scheduler().plan(now)) {
      is_asked = is_asked || std::holds_alternative<schedule_step::Resolve>(step);
      EXPECT_FALSE(std::holds_alternative<schedule_step::Expire>(step));
      EXPECT_FALSE(std::holds_alternative<schedule_step::Warn>(step));
      if (const auto* load = std::get_if<schedule_step::Load>(&step)) take(*load);
    }
  }
  EXPECT_TRUE(is_asked);
  EXPECT_NE(scheduler().wake_at(now), now.steady) << "until there is an answer";
  scheduler().resolved(far.destination, "patient", SteadyTime::max());
  run();
  EXPECT_TRUE(warned.empty());
  EXPECT_TRUE(disks[far].contains(item.key));
}

TEST_F(WarnTest, TellsAlsoWhileAPersonSuspendsTheDestination) {
  scheduler().hurry(kHop, now);
  scheduler().suspend(kHop, std::nullopt);
  take_in(50);
  run_until(now.steady + 5h);
  EXPECT_EQ(ids_warned().size(), 50U);
}

TEST_F(WarnTest, TellsNobodyOfMailThatFlows) {
  scheduler().hurry(kHop, now);
  for (int i = 0; i < 600; ++i) {
    keeps_attempts = true;
    take_in(1);
    run_until(now.steady + 1min);
    ASSERT_EQ(kept.size(), 1U);
    disks[kQueue].clear();
    scheduler().judged(kHop);
    finish(std::exchange(kept, {}));
  }
  EXPECT_TRUE(warned.empty());
  EXPECT_EQ(read_for_warnings, 0U);
}

}  // namespace
}  // namespace relay::queue
