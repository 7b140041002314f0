#include "relay/app/health_log.hpp"

#include <gtest/gtest.h>

namespace relay::app {
namespace {

const Complaint kDisk{"the spool's file system has 9 % free, below spool_min_free_percent 10"};
const Complaint kWrite{"a write to the spool has lasted 10.5s"};
const Complaint kSmarthost{"smarthost default refuses our credentials", true};

class HealthLogTest : public ::testing::Test {
 protected:
  /// What is written a second later: the record's fields, or nothing.
  nlohmann::ordered_json after_a_second(const std::optional<Complaint>& complaint) {
    now += seconds{1};
    const auto record = health.note(complaint, now);
    if (!record) return nullptr;
    level = record->level();
    return record->fields();
  }
  /// How many records there are in this time, in which the complaint is the same all along.
  int records(seconds time, const std::optional<Complaint>& complaint) {
    int count = 0;
    for (auto passed = seconds{0}; passed < time; passed += seconds{1})
      count += after_a_second(complaint).is_null() ? 0 : 1;
    return count;
  }
  static Complaint disk(int free_percent) {
    return {
      "the spool's file system has " + std::to_string(free_percent) +
      " % free, below spool_min_free_percent 10"
    };
  }
  HealthLog health;
  SteadyTime now;
  log::Level level{};
};

TEST_F(HealthLogTest, SaysNothingOfARelayThatIsWell) { EXPECT_EQ(records(seconds{100}, std::nullopt), 0); }

TEST_F(HealthLogTest, SaysWhatIsWrongAtOnceAndOnce) {
  const auto said = after_a_second(kDisk);
  EXPECT_EQ(said["event"], "unhealthy");
  EXPECT_EQ(said["reason"], kDisk.reason);
  EXPECT_EQ(said["ready"], false);
  EXPECT_EQ(level, log::Level::warning);
  EXPECT_EQ(records(seconds{3600}, kDisk), 0);
}

TEST_F(HealthLogTest, SaysWhereMailIsTakenAllTheSame) {
  EXPECT_EQ(after_a_second(kSmarthost)["ready"], true);
}

TEST_F(HealthLogTest, SaysAfterHowLongARelayHasRecovered) {
  (void)records(seconds{65}, kDisk);
  EXPECT_EQ(records(HealthLog::kRelapse, std::nullopt), 0) << "it might relapse";
  const auto said = after_a_second(std::nullopt);
  EXPECT_EQ(said["event"], "healthy");
  EXPECT_EQ(said["lasted"], "1m5s") << "until it was first seen well";
  EXPECT_EQ(level, log::Level::info);
  EXPECT_EQ(records(seconds{100}, std::nullopt), 0);
  EXPECT_EQ(after_a_second(kDisk)["event"], "unhealthy") << "all begins anew";
}

TEST_F(HealthLogTest, SaysAtOnceWhenSomethingElseIsWrong) {
  EXPECT_FALSE(after_a_second(kDisk).is_null());
  EXPECT_EQ(after_a_second(kWrite)["reason"], kWrite.reason);
  EXPECT_EQ(after_a_second(kSmarthost)["reason"], kSmarthost.reason);
}

TEST_F(HealthLogTest, SaysNumbersThatChangeOnceAMinute) {
  int said = 0;
  for (int second = 0; second < 180; ++second) said += after_a_second(disk(second % 9)).is_null() ? 0 : 1;
  EXPECT_EQ(said, 3);
  EXPECT_EQ(records(seconds{60}, disk(5)), 1) << "those that it has by now";
  EXPECT_EQ(records(seconds{3600}, disk(5)), 0);
}

TEST_F(HealthLogTest, SaysOfComplaintsThatTakeTurnsEachOnceAMinute) {
  int said = 0;
  for (int second = 0; second < 120; ++second)
    said += after_a_second(second % 2 == 0 ? disk(second % 9) : kSmarthost).is_null() ? 0 : 1;
  EXPECT_EQ(said, 4) << "also in the same words, since another was told in between";
}

TEST_F(HealthLogTest, TakesARelapseForTheSameIllness) {
  int said = 0;
  for (int second = 0; second < 50; ++second)
    said += after_a_second(second % 5 == 0 ? std::optional(kDisk) : std::nullopt).is_null() ? 0 : 1;
  EXPECT_EQ(said, 1) << "a disk that is just at its limit";
  EXPECT_EQ(records(HealthLog::kRelapse, std::nullopt), 1);
}

TEST_F(HealthLogTest, SaysNoMoreThanSixteenComplaintsInAMinute) {
  const auto other = [](int number) {
    return Complaint{
      "smarthost " + std::string(1, static_cast<char>('a' + number)) + " refuses our credentials"
    };
  };
  int said = 0;
  for (int number = 0; number < 26; ++number) said += after_a_second(other(number)).is_null() ? 0 : 1;
  EXPECT_EQ(said, 16);
  now += HealthLog::kWordsStand;
  EXPECT_EQ(after_a_second(other(25))["reason"], other(25).reason);
}

TEST(KindOf, LeavesOutNumbersTimesAndSizes) {
  EXPECT_EQ(kind_of(kDisk.reason), "the spool's file system has # % free, below spool_min_free_percent #");
  EXPECT_EQ(kind_of("a write to the spool has lasted 1m5s"), kind_of(kWrite.reason));
  EXPECT_EQ(kind_of("reached spool_max_size 2Mi"), "reached spool_max_size #");
  EXPECT_EQ(kind_of("write to the spool: /spool/000012.log: EIO"), "write to the spool: /spool/#: EIO");
  EXPECT_EQ(kind_of("smarthost mx2 refuses"), "smarthost mx2 refuses") << "a name";
  EXPECT_EQ(kind_of("10.5s"), "#");
  EXPECT_EQ(kind_of(""), "");
}

}  // namespace
}  // namespace relay::app
