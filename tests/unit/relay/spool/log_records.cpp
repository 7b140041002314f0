#include "relay/spool/log_records.hpp"

#include <gmock/gmock.h>
#include <vector>

namespace relay::spool {
namespace {

std::vector<std::string> records_of(const std::string& log) {
  std::vector<std::string> records;
  for_each_log_record(log, [&](std::string record) { records.push_back(std::move(record)); });
  return records;
}

TEST(LogRecords, OfAnotherSumAreNone) {
  EXPECT_TRUE(records_of(std::string("\0\0\0\0\5\0\1hello", 12)).empty());
}

TEST(LogRecords, OfNoLogAreNone) {
  EXPECT_TRUE(records_of("").empty());
  EXPECT_TRUE(records_of(std::string(100'000, '\0')).empty());
  EXPECT_TRUE(records_of(std::string(100'000, '\xff')).empty());
}

TEST(LogRecords, OfALogThatWasNotWrittenToTheEndHaveNoDamageWithin) {
  EXPECT_FALSE(has_damage_within(""));
  EXPECT_FALSE(has_damage_within(std::string(40'000, '\0')));
  EXPECT_FALSE(has_damage_within(std::string(3, '\xff')));
  EXPECT_FALSE(has_damage_within(std::string(40'000, '\xff'))) << "there is no record";
}

}  // namespace
}  // namespace relay::spool
