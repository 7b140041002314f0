#include "relay/queue/backlog.hpp"

#include <gtest/gtest.h>
#include <map>
#include <random>
#include <set>

namespace relay::queue {
namespace {

using namespace std::chrono_literals;

constexpr milliseconds kLongestWait = 2h;
const WallTime kStart{milliseconds{1'000'000'000'000}};

Item item(WallTime due, std::uint64_t number) { return {{due, {1, number}}, kStart, 0, 100}; }

/// The disk, as the owner of a backlog sees it.
struct Disk {
  std::set<ItemKey> keys;
  std::map<std::uint64_t, WallTime> scheduled;  // of those that have such a time

  std::pair<std::vector<Item>, std::optional<WallTime>> read(const Backlog::Load& load) const {
    std::vector<Item> items;
    auto at = load.after ? keys.upper_bound(*load.after) : keys.begin();
    for (; at != keys.end() && items.size() < load.limit && at->due <= load.until; ++at)
      items.push_back(read(*at));
    return {items, at == keys.end() ? std::nullopt : std::optional(at->due)};
  }
  Item read(const ItemKey& key) const {
    auto found = item(key.due, key.id.number);
    if (const auto at = scheduled.find(key.id.number); at != scheduled.end()) found.scheduled = at->second;
    return found;
  }
};

void load_all(Backlog& backlog, const Disk& disk, WallTime now) {
  while (const auto load = backlog.want_load(now)) {
    const auto [items, next] = disk.read(*load);
    backlog.loaded(items, next);
  }
}

TEST(Backlog, FindsAtStartWhatIsOnDisk) {
  Disk disk;
  for (std::uint64_t i = 0; i < 3000; ++i) disk.keys.insert({kStart + milliseconds{i}, {1, i}});
  Backlog backlog(kLongestWait);
  const auto now = kStart + 1h;
  std::uint64_t next = 0;
  while (true) {
    load_all(backlog, disk, now);
    EXPECT_LE(backlog.waiting(), kWindow);
    const auto taken = backlog.take(now);
    if (!taken) break;
    EXPECT_EQ(taken->key.id.number, next++) << "in the order they are due";
    disk.keys.erase(taken->key);
    backlog.finish(taken->key.id);
  }
  EXPECT_EQ(next, 3000U);
}

TEST(Backlog, TakesFreshMailWithoutReadingIt) {
  Backlog backlog(kLongestWait);
  load_all(backlog, {}, kStart);
  backlog.announce({1, 7});
  backlog.admit(item(kStart, 7), kStart);
  EXPECT_FALSE(backlog.want_load(kStart));
  EXPECT_EQ(backlog.take(kStart)->key.id.number, 7U);
  EXPECT_FALSE(backlog.take(kStart));
}

/// What a destination's queue holds that was deferred to hours from now, one millisecond apart.
Disk deferred(std::uint64_t count) {
  Disk disk;
  for (std::uint64_t i = 0; i < count; ++i) disk.keys.insert({kStart + 1h + milliseconds{i}, {1, i}});
  return disk;
}

TEST(Backlog, TriesAllThatWasDeferredOnceWhenItIsToldToHurry) {
  auto disk = deferred(3000);
  Backlog backlog(kLongestWait);
  load_all(backlog, disk, kStart);
  EXPECT_FALSE(backlog.take(kStart));
  backlog.hurry(kStart);
  EXPECT_EQ(backlog.next_due(kStart), kStart);
  std::set<std::uint64_t> tried;
  while (true) {
    load_all(backlog, disk, kStart);
    EXPECT_LE(backlog.waiting(), kWindow);
    const auto taken = backlog.take(kStart);
    if (!taken) break;
    EXPECT_TRUE(tried.insert(taken->key.id.number).second) << "one attempt each";
    // Deferred again, partly to what is not read yet.
    auto again = *taken;
    again.scheduled = kStart + 1ms;
    again.key.due = kStart + 1h + 4s;
    disk.keys.erase(taken->key);
    disk.keys.insert(again.key);
    disk.scheduled[again.key.id.number] = again.scheduled;
    backlog.finish(taken->key.id);
    backlog.admit(again, kStart);
  }
  EXPECT_EQ(tried.size(), 3000U);
  EXPECT_EQ(backlog.waiting(), 0U) << "and nothing of them stays in memory";
  EXPECT_EQ(backlog.next_due(kStart), kStart + 1h) << "as far as it was known before";
}

TEST(Backlog, HurriesAgainFromTheStartWhenMoreChanges) {
  const auto disk = deferred(10);
  Backlog backlog(kLongestWait);
  load_all(backlog, disk, kStart);
  backlog.hurry(kStart);
  const auto load = backlog.want_load(kStart);
  ASSERT_TRUE(load);
  backlog.hurry(kStart + 1ms);
  backlog.loaded({}, std::nullopt);
  load_all(backlog, disk, kStart);
  EXPECT_EQ(backlog.waiting(), 10U);
}

TEST(Backlog, PutsBackWhatHurriesToBeTriedAtOnce) {
  const auto disk = deferred(1);
  Backlog backlog(kLongestWait);
  backlog.hurry(kStart);
  load_all(backlog, disk, kStart);
  const auto taken = backlog.take(kStart);
  ASSERT_TRUE(taken);
  backlog.put_back(taken->key.id);
  EXPECT_TRUE(backlog.take(kStart));
}

TEST(Backlog, LeavesWhatIsDueLaterToTheDisk) {
  Backlog backlog(kLongestWait);
  load_all(backlog, {}, kStart);
  backlog.admit(item(kStart + 1min, 7), kStart);
  EXPECT_EQ(backlog.waiting(), 0U);
  EXPECT_EQ(backlog.next_due(kStart), kStart + 1min);
  EXPECT_FALSE(backlog.want_load(kStart + 59s));
  EXPECT_TRUE(backlog.want_load(kStart + 1min));
}

TEST(Backlog, DoesNotTakeAMessageTwiceWhenALoadSeesItsCommit) {
  Backlog backlog(kLongestWait);
  const auto load = backlog.want_load(kStart);
  ASSERT_TRUE(load);
  backlog.announce({1, 7});                         // the commit begins,
  backlog.loaded({item(kStart, 7)}, std::nullopt);  // the load already sees it,
  EXPECT_FALSE(backlog.take(kStart));
  backlog.admit(item(kStart, 7), kStart);  // and then it is reported
  EXPECT_TRUE(backlog.take(kStart));
  EXPECT_FALSE(backlog.take(kStart));
}

TEST(Backlog, DoesNotTakeAMessageAgainThatFinishedWhileItWasLoaded) {
  Backlog backlog(kLongestWait);
  ASSERT_TRUE(backlog.want_load(kStart));
  backlog.announce({1, 7});
  backlog.admit(item(kStart, 7), kStart);
  ASSERT_TRUE(backlog.take(kStart));
  backlog.finish({1, 7});
  backlog.loaded({item(kStart, 7)}, std::nullopt);  // read before it was deleted
  EXPECT_FALSE(backlog.take(kStart));
}

TEST(Backlog, LosesNoMessageThatALoadJustMissed) {
  Backlog backlog(kLongestWait);
  ASSERT_TRUE(backlog.want_load(kStart + 5ms));
  backlog.announce({1, 7});
  backlog.admit(item(kStart + 1ms, 7), kStart + 5ms);     // committed behind the load's snapshot,
  backlog.loaded({item(kStart + 3ms, 9)}, std::nullopt);  // which reached further
  EXPECT_EQ(backlog.take(kStart + 5ms)->key.id.number, 7U);
  EXPECT_EQ(backlog.take(kStart + 5ms)->key.id.number, 9U);
}

TEST(Backlog, PutsBackWhatWasNotTried) {
  Backlog backlog(kLongestWait);
  load_all(backlog, {}, kStart);
  backlog.admit(item(kStart, 7), kStart);
  (void)backlog.take(kStart);
  EXPECT_EQ(backlog.in_flight(), 1U);
  backlog.put_back({1, 7});
  EXPECT_EQ(backlog.in_flight(), 0U);
  EXPECT_EQ(backlog.take(kStart)->key.id.number, 7U);
}

TEST(Backlog, TakesWhatAClockSetBackHidesFarAheadCase105) {
  Disk disk;
  disk.keys.insert({kStart + 24h * 365, {1, 7}});
  Backlog backlog(kLongestWait);
  load_all(backlog, disk, kStart);
  ASSERT_TRUE(backlog.take(kStart));
}

TEST(Backlog, WaitsForWhatIsAdmittedWithALaterTimeThanAnyRetry) {
  const auto due = kStart + 10 * kLongestWait;
  Disk disk;
  disk.keys.insert({due, {1, 7}});
  Backlog backlog(kLongestWait, Backlog::OnDisk::nothing);
  backlog.announce({1, 7});
  backlog.admit(item(due, 7), kStart);
  load_all(backlog, disk, kStart);
  EXPECT_FALSE(backlog.take(kStart));
  EXPECT_EQ(backlog.next_due(kStart), due);
  load_all(backlog, disk, due);
  EXPECT_TRUE(backlog.take(due));
}

TEST(Backlog, GivesUpTheOldOnesOnly) {
  Backlog backlog(kLongestWait);
  load_all(backlog, {}, kStart);
  auto old = item(kStart, 1);
  old.arrival = kStart - 121h;
  backlog.admit(old, kStart);
  backlog.admit(item(kStart, 2), kStart);
  const auto expired = backlog.take_older_than(kStart - 120h);
  ASSERT_EQ(expired.size(), 1U);
  EXPECT_EQ(expired.front().key.id.number, 1U);
  EXPECT_EQ(backlog.in_flight(), 1U);
}

TEST(Backlog, KnowsThatANewQueueHasNothingOnDisk) {
  Backlog backlog(kLongestWait, Backlog::OnDisk::nothing);
  EXPECT_TRUE(backlog.is_empty());
  EXPECT_FALSE(backlog.want_load(kStart));
  backlog.announce({1, 7});
  EXPECT_FALSE(backlog.is_empty());
  EXPECT_TRUE(backlog.admit(item(kStart, 7), kStart));
  ASSERT_TRUE(backlog.take(kStart));
  backlog.finish({1, 7});
  EXPECT_TRUE(backlog.is_empty());
}

TEST(Backlog, ReadsNoMoreThanThereIsRoomForAndOneAlways) {
  Backlog backlog(kLongestWait);
  const auto load = backlog.want_load(kStart, 100, 0);
  ASSERT_TRUE(load);
  EXPECT_EQ(load->limit, 1U);
  EXPECT_EQ(backlog.reserved(), 1U);
  backlog.loaded({item(kStart, 1)}, kStart);
  EXPECT_FALSE(backlog.want_load(kStart, 100, 0));
  EXPECT_EQ(backlog.want_load(kStart, 100, 30)->limit, 30U);
}

TEST(Backlog, ReadsAgainWhatItShed) {
  Disk disk;
  for (std::uint64_t i = 0; i < 100; ++i) disk.keys.insert({kStart + milliseconds{i}, {1, i}});
  Backlog backlog(kLongestWait);
  const auto now = kStart + 1h;
  load_all(backlog, disk, now);
  EXPECT_EQ(backlog.waiting(), 100U);
  backlog.shed(5);
  EXPECT_EQ(backlog.waiting(), 5U);
  for (std::uint64_t i = 0; i < 100; ++i) {
    load_all(backlog, disk, now);
    const auto taken = backlog.take(now);
    ASSERT_TRUE(taken);
    EXPECT_EQ(taken->key.id.number, i);
    disk.keys.erase(taken->key);
    backlog.finish(taken->key.id);
  }
  EXPECT_FALSE(backlog.take(now));
}

TEST(Backlog, LosesNothingBetweenItsBoundAndWhatWasPutBack) {
  Disk disk;
  for (std::uint64_t i = 0; i < 5; ++i) disk.keys.insert({kStart + milliseconds{i}, {1, i}});
  const auto now = kStart + 1s;
  Backlog backlog(kLongestWait);
  load_all(backlog, disk, now);
  while (backlog.take(now)) {}
  backlog.put_back({1, 0});
  backlog.put_back({1, 1});
  backlog.shed(1);  // 1 is on disk only: the bound is behind 0
  ASSERT_TRUE(backlog.take(now));
  backlog.put_back({1, 3});
  backlog.put_back({1, 4});
  backlog.shed(1);
  backlog.put_back({1, 0});
  backlog.put_back({1, 2});
  load_all(backlog, disk, now);
  EXPECT_EQ(backlog.waiting(), 5U);
}

TEST(Backlog, HurriesOneMessage) {
  Backlog backlog(kLongestWait);
  const auto load = backlog.want_load(kStart + 1h);
  ASSERT_TRUE(load);
  backlog.loaded({item(kStart + 30min, 7), item(kStart + 40min, 8)}, std::nullopt);
  EXPECT_FALSE(backlog.has_due(kStart));
  EXPECT_EQ(backlog.hurry_one({1, 8}), Whereabouts::memory);
  EXPECT_EQ(backlog.take(kStart)->key.id.number, 8U);
  EXPECT_EQ(backlog.hurry_one({1, 8}), Whereabouts::flight);
  EXPECT_FALSE(backlog.take(kStart));
}

TEST(Backlog, DoesNotTakeAMessageFromALoadThatBeganBeforeItsKeyChanged) {
  Backlog backlog(kLongestWait, Backlog::OnDisk::unknown);
  ASSERT_TRUE(backlog.want_load(kStart));                      // reads the old key,
  EXPECT_EQ(backlog.hurry_one({1, 7}), Whereabouts::disk);     // is announced,
  EXPECT_FALSE(backlog.admit(item(kStart + 5ms, 7), kStart));  // has another key,
  backlog.loaded({item(kStart - 1ms, 7)}, std::nullopt);       // and the load ends
  EXPECT_EQ(backlog.waiting(), 0U);
  EXPECT_EQ(backlog.next_due(kStart), kStart + 5ms);
}

TEST(Backlog, DoesNotTakeAMessageThatWasDeletedWhileItWasLoaded) {
  Backlog backlog(kLongestWait);
  ASSERT_TRUE(backlog.want_load(kStart));
  EXPECT_FALSE(backlog.forget({1, 7}));
  backlog.withdraw({1, 7});
  backlog.loaded({item(kStart, 7)}, std::nullopt);
  EXPECT_FALSE(backlog.take(kStart));
  EXPECT_TRUE(backlog.is_empty());
}

TEST(Backlog, KnowsTheOldestThatWaits) {
  Backlog backlog(kLongestWait, Backlog::OnDisk::nothing);
  EXPECT_FALSE(backlog.oldest_arrival());
  auto old = item(kStart, 1);
  old.arrival = kStart - 5h;
  backlog.admit(old, kStart);
  backlog.admit(item(kStart, 2), kStart);
  EXPECT_EQ(backlog.oldest_arrival(), kStart - 5h);
  (void)backlog.take_older_than(kStart - 1h);
  EXPECT_EQ(backlog.oldest_arrival(), kStart);
}

/// Random events against a model that holds everything: each message is in flight at most once, is never
/// lost, and is taken in the end. Loads and commits cross as they do with real threads: a load reads a
/// snapshot, its result comes later, and commits are announced before and reported behind their write.
TEST(Backlog, AgreesWithAModelOverRandomEvents) {
  for (unsigned seed = 0; seed < 300; ++seed) {
    std::mt19937 random(seed);
    Backlog backlog(kLongestWait);
    Disk disk;
    WallTime now = kStart;
    std::uint64_t next_number = 1;
    std::vector<Item> announced;  // not yet written
    std::vector<Item> written;    // written, not yet reported
    std::optional<std::pair<std::vector<Item>, std::optional<WallTime>>> load_result;
    std::map<std::uint64_t, ItemKey> in_flight;
    std::set<std::uint64_t> finished;
    const auto check_take = [&] {
      const auto taken = backlog.take(now);
      if (!taken) return false;
      EXPECT_FALSE(finished.contains(taken->key.id.number)) << "delivered twice, seed " << seed;
      EXPECT_TRUE(in_flight.emplace(taken->key.id.number, taken->key).second)
        << "in flight twice, seed " << seed;
      return true;
    };
    const auto finish_one = [&](bool defer) {
      const auto chosen = in_flight.begin();
      const auto [number, key] = *chosen;
      in_flight.erase(chosen);
      disk.keys.erase(key);
      Item again = item(now + milliseconds{1 + random() % 50}, number);
      if (defer) disk.keys.insert(again.key);
      else finished.insert(number);
      backlog.finish({1, number});
      if (defer) backlog.admit(again, now);
    };
    for (int step = 0; step < 3000; ++step) {
      switch (random() % 9) {
        case 0: now += milliseconds{random() % 5}; break;
        case 1:
          if (next_number > 400) break;
          announced.push_back(item(now - milliseconds{random() % 3}, next_number++));
          backlog.announce(announced.back().key.id);
          break;
        case 2:
          if (announced.empty()) break;
          disk.keys.insert(announced.back().key);  // not in the order they were announced
          written.push_back(announced.back());
          announced.pop_back();
          break;
        case 3:
          if (written.empty()) break;
          backlog.admit(written.back(), now);
          written.pop_back();
          break;
        case 4:
          if (load_result) break;
          if (const auto load = backlog.want_load(now)) load_result = disk.read(*load);
          break;
        case 5:
          if (!load_result) break;
          backlog.loaded(load_result->first, load_result->second);
          load_result.reset();
          break;
        case 6: check_take(); break;
        case 7:
          if (!in_flight.empty()) finish_one(random() % 3 == 0);
          break;
        case 8:
          if (in_flight.empty() || random() % 4 != 0) break;
          backlog.put_back({1, in_flight.begin()->first});
          in_flight.erase(in_flight.begin());
          break;
      }
    }
    // Everything settles: what remains must come out, each message once.
    for (const auto& left : announced) {
      disk.keys.insert(left.key);
      backlog.admit(left, now);
    }
    for (const auto& left : written) backlog.admit(left, now);
    if (load_result) backlog.loaded(load_result->first, load_result->second);
    for (int round = 0; round < 5000 && finished.size() + 1 < next_number; ++round) {
      now += 10ms;
      load_all(backlog, disk, now);
      while (check_take()) {}
      while (!in_flight.empty()) finish_one(false);
    }
    ASSERT_EQ(finished.size() + 1, next_number) << "lost, seed " << seed;
    ASSERT_TRUE(disk.keys.empty());
  }
}

TEST(Backlog, LeavesAMessageWhoseCommitIsUnderWay) {
  Backlog backlog(1h, Backlog::OnDisk::nothing);
  backlog.announce({1, 7});
  EXPECT_TRUE(backlog.forget({1, 7})) << "whoever commits it says what became of it";
}

}  // namespace
}  // namespace relay::queue
