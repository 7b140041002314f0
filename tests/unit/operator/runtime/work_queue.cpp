#include "operator/runtime/work_queue.hpp"

#include <gtest/gtest.h>
#include <random>

namespace op::runtime {
namespace {

const Key kA{"mail", "a"};
const Key kB{"mail", "b"};

class WorkQueueTest : public ::testing::Test {
 protected:
  void wait(milliseconds time) { now += time; }
  std::string take() {
    const auto taken = queue.take(now);
    return taken ? taken->key.name : "";
  }
  SteadyTime now{seconds{1000}};
  WorkQueue queue;
};

TEST_F(WorkQueueTest, GivesKeysInTheOrderTheyCame) {
  queue.add(kB, now);
  queue.add(kA, now);
  EXPECT_EQ(take(), "b");
  EXPECT_EQ(take(), "a");
  EXPECT_EQ(take(), "");
}

TEST_F(WorkQueueTest, HoldsAKeyOnceHoweverOftenItIsAdded) {
  queue.add(kA, now);
  queue.add(kA, now);
  EXPECT_EQ(queue.depth(), 1U);
  EXPECT_EQ(take(), "a");
  EXPECT_EQ(take(), "");
}

TEST_F(WorkQueueTest, NeverGivesAKeyToTwoWorkers) {
  queue.add(kA, now);
  EXPECT_EQ(take(), "a");
  queue.add(kA, now);
  EXPECT_EQ(take(), "") << "its first worker is not done";
  queue.done(kA, now);
  EXPECT_EQ(take(), "a");
  queue.done(kA, now);
  EXPECT_EQ(take(), "");
}

TEST_F(WorkQueueTest, GivesADelayedKeyWhenItsTimeHasCome) {
  queue.add_after(kA, seconds{5}, now);
  EXPECT_EQ(take(), "");
  EXPECT_EQ(queue.wake_at(), now + seconds{5});
  wait(seconds{5});
  EXPECT_EQ(take(), "a");
}

TEST_F(WorkQueueTest, TakesTheShorterOfTwoDelays) {
  queue.add_after(kA, seconds{5}, now);
  queue.add_after(kA, seconds{9}, now);
  EXPECT_EQ(queue.wake_at(), now + seconds{5});
  queue.add_after(kA, seconds{2}, now);
  EXPECT_EQ(queue.wake_at(), now + seconds{2});
  wait(seconds{9});
  EXPECT_EQ(take(), "a");
  queue.done(kA, now);
  EXPECT_EQ(take(), "");
}

TEST_F(WorkQueueTest, DoesNotGiveADelayedKeyToASecondWorker) {
  queue.add(kA, now);
  EXPECT_EQ(take(), "a");
  queue.add_after(kA, seconds{1}, now);
  wait(seconds{2});
  EXPECT_EQ(take(), "");
  queue.done(kA, now);
  EXPECT_EQ(take(), "a");
}

TEST_F(WorkQueueTest, DoublesTheDelayOfAFailingKey) {
  EXPECT_EQ(failure_delay(1), milliseconds{5});
  EXPECT_EQ(failure_delay(2), milliseconds{10});
  EXPECT_EQ(failure_delay(8), milliseconds{640});
  EXPECT_EQ(failure_delay(18), milliseconds{655'360});
  EXPECT_EQ(failure_delay(19), seconds{1000});
  EXPECT_EQ(failure_delay(4'000'000'000), seconds{1000});
}

TEST_F(WorkQueueTest, ForgetsFailuresWhenToldSo) {
  for (int i = 0; i < 5; ++i) queue.retry(kA, now);
  queue.forget(kA);
  wait(seconds{10});
  EXPECT_EQ(take(), "a");
  queue.done(kA, now);
  queue.retry(kA, now);
  EXPECT_EQ(queue.wake_at(), now + milliseconds{5});
}

TEST_F(WorkQueueTest, SharesOneBucketAmongFailingKeys) {
  for (int i = 0; i < 101; ++i) queue.retry({"mail", std::to_string(i)}, now);
  wait(milliseconds{6});
  int ready = 0;
  while (!take().empty()) ++ready;
  EXPECT_EQ(ready, 100) << "the hundred and first waits for its turn";
  wait(milliseconds{100});
  EXPECT_EQ(take(), "100");
}

TEST_F(WorkQueueTest, TellsHowLongAKeyWaited) {
  queue.add(kA, now);
  wait(milliseconds{30});
  EXPECT_EQ(queue.take(now)->waited, milliseconds{30});
  queue.add(kA, now);
  wait(milliseconds{50});
  queue.done(kA, now);
  wait(milliseconds{20});
  EXPECT_EQ(queue.take(now)->waited, milliseconds{20}) << "while its worker had it, it could not be taken";
}

TEST_F(WorkQueueTest, LetsWhatHappenedOvertakeWhatIsLookedAtAnyway) {
  queue.add({"mail", "x"}, now, Priority::background);
  queue.add({"mail", "y"}, now, Priority::background);
  queue.add(kA, now);
  queue.add(kB, now);
  EXPECT_EQ(take(), "a");
  EXPECT_EQ(take(), "b");
  EXPECT_EQ(take(), "x");
  EXPECT_EQ(take(), "y");
  EXPECT_EQ(take(), "");
}

TEST_F(WorkQueueTest, MovesAKeyForwardWhenSomethingHappensToIt) {
  queue.add({"mail", "x"}, now, Priority::background);
  queue.add(kA, now, Priority::background);
  wait(milliseconds{30});
  queue.add(kA, now);
  EXPECT_EQ(queue.depth(), 2U) << "it is there once";
  const auto taken = queue.take(now);
  EXPECT_EQ(taken->key, kA);
  EXPECT_EQ(taken->waited, milliseconds{30}) << "since it was first added";
  EXPECT_EQ(take(), "x");
  EXPECT_EQ(take(), "");
}

TEST_F(WorkQueueTest, DoesNotMoveAKeyBack) {
  queue.add(kA, now);
  queue.add(kA, now, Priority::background);
  queue.add(kB, now);
  EXPECT_EQ(take(), "a");
}

TEST_F(WorkQueueTest, RemembersThePriorityOfWhatComesWhileAWorkerHasIt) {
  queue.add(kA, now);
  EXPECT_EQ(take(), "a");
  queue.add(kA, now, Priority::background);
  queue.add({"mail", "x"}, now, Priority::background);
  queue.add(kA, now);
  queue.done(kA, now);
  EXPECT_EQ(take(), "a");
  EXPECT_EQ(take(), "x");
  queue.add(kA, now, Priority::background);
  queue.done(kA, now);
  queue.add(kB, now);
  EXPECT_EQ(take(), "b");
  EXPECT_EQ(take(), "a");
}

TEST_F(WorkQueueTest, LetsAnEditOvertakeWhatComesBackBehindALongDelay) {
  const Key failing{"mail", "failing"};
  for (int failures = 1; failures <= 8; ++failures) {
    queue.retry(failing, now);
    wait(seconds{2});
    EXPECT_EQ(take(), "failing");
    queue.done(failing, now);
  }
  queue.retry(failing, now);  // its ninth delay is 1.28 s
  queue.add_after({"mail", "later"}, seconds{30}, now);
  queue.add_after(kB, seconds{60}, now);
  wait(seconds{60});
  EXPECT_EQ(take(), "failing") << "all three have come back";
  queue.add(kA, now);
  EXPECT_EQ(take(), "a");
  EXPECT_EQ(take(), "later");
  EXPECT_EQ(take(), "b");
}

TEST_F(WorkQueueTest, GivesAFailingKeyAtOnceWhenSomethingHappensToIt) {
  for (int i = 0; i < 3; ++i) queue.add({"mail", "x" + std::to_string(i)}, now, Priority::background);
  queue.add_after(kA, seconds{30}, now);
  queue.add_after(kB, seconds{2}, now);
  wait(seconds{3});
  queue.add(kA, now);
  EXPECT_EQ(take(), "a") << "it is delayed still";
  queue.add(kB, now);
  EXPECT_EQ(take(), "b") << "it had come back already, behind the others";
  EXPECT_EQ(take(), "x0");
}

TEST_F(WorkQueueTest, IsPromptWithWhatWouldHaveComeBackBehindAShortDelayThoughALongOneEndsSooner) {
  queue.add_after(kA, seconds{30}, now);
  queue.add_after(kB, seconds{29}, now);
  wait(seconds{29} + milliseconds{500});
  EXPECT_EQ(take(), "b");
  queue.add_after(kA, milliseconds{900}, now);
  wait(seconds{1});
  queue.add({"mail", "background"}, now, Priority::background);
  EXPECT_EQ(take(), "a");
  EXPECT_EQ(take(), "background");
}

TEST_F(WorkQueueTest, KeepsItsPlaceForWhatComesBackBehindAShortDelay) {
  queue.add({"mail", "x"}, now, Priority::background);
  queue.add_after(kA, seconds{1}, now);
  wait(seconds{1});
  EXPECT_EQ(take(), "a");
  EXPECT_EQ(take(), "x");
}

/// Ten thousand random events: a key is with one worker at most, and none that was added is ever lost.
TEST_F(WorkQueueTest, LosesNothingWhateverHappens) {
  std::mt19937 random(7);
  std::map<Key, bool> wanted;  // added since it was last taken
  std::set<Key> working;
  const auto pick = [&] { return Key{"mail", std::to_string(random() % 8)}; };
  for (int i = 0; i < 10'000; ++i) {
    wait(milliseconds{random() % 20});
    const auto key = pick();
    switch (random() % 5) {
      case 0:
        queue.add(key, now, random() % 2 == 0 ? Priority::prompt : Priority::background);
        wanted[key] = true;
        break;
      case 1:
        queue.add_after(key, milliseconds{random() % 1500}, now);
        wanted[key] = true;
        break;
      case 2:
        queue.retry(key, now);
        wanted[key] = true;
        queue.forget(key);
        break;
      case 3:
        if (working.erase(key) > 0) queue.done(key, now);
        break;
      default:
        if (const auto taken = queue.take(now)) {
          ASSERT_TRUE(working.insert(taken->key).second) << "with two workers";
          wanted[taken->key] = false;
        }
    }
  }
  for (const auto& key : working) queue.done(key, now);
  wait(std::chrono::hours{1});
  while (const auto taken = queue.take(now)) {
    wanted[taken->key] = false;
    queue.done(taken->key, now);
  }
  for (const auto& [key, is_wanted] : wanted) EXPECT_FALSE(is_wanted) << key.to_text() << " was lost";
}

}  // namespace
}  // namespace op::runtime
