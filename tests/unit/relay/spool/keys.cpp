#include "relay/spool/keys.hpp"

#include <gtest/gtest.h>

namespace relay::spool {
namespace {

WallTime at(std::int64_t ms) { return WallTime{milliseconds{ms}}; }

TEST(Keys, RoundTrip) {
  const QueueId id{0xdeadbeef, 0x0102030405060708};
  EXPECT_EQ(parse_id_key(id_key(id)), id);
  EXPECT_EQ(parse_indexed_key(indexed_key(id, 77)), (std::pair{id, 77U}));
  const auto due = parse_due_key(due_key("smarthost/default", at(1'234'567'890'123), id));
  ASSERT_TRUE(due);
  EXPECT_EQ(due->queue, "smarthost/default");
  EXPECT_EQ(due->due, at(1'234'567'890'123));
  EXPECT_EQ(due->id, id);
}

TEST(Keys, SortAsTheirValuesDo) {
  EXPECT_LT(id_key({1, 255}), id_key({1, 256}));
  EXPECT_LT(indexed_key({1, 1}, 255), indexed_key({1, 1}, 256));
  EXPECT_LT(due_key("a", at(255), {1, 9}), due_key("a", at(256), {1, 1}));
  EXPECT_LT(due_key("a", at(256), {1, 1}), due_key("a", at(256), {1, 2}));
  EXPECT_LT(due_key("a", at(999), {1, 1}), due_key("ab", at(1), {1, 1})) << "destinations stay together";
}

TEST(Keys, OfAnotherFormAreNotRead) {
  EXPECT_FALSE(parse_id_key("short"));
  EXPECT_FALSE(parse_indexed_key(id_key({1, 1})));
  EXPECT_FALSE(parse_due_key("no end of the destination"));
  EXPECT_FALSE(parse_due_key(due_prefix("a") + "short"));
}

}  // namespace
}  // namespace relay::spool
