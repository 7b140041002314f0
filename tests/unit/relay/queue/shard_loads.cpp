#include "relay/queue/shard_loads.hpp"

#include <gtest/gtest.h>

namespace relay::queue {
namespace {

TEST(ShardLoads, KeepsASlotAsLongAsAConnectionMayBeThere) {
  ShardLoads loads(2);
  loads.start(1, true);
  loads.start(1, false);
  EXPECT_FALSE(loads.connection_ready(1)) << "it was paid for";
  EXPECT_EQ(loads.slots(), 1U);
  loads.end(1);
  loads.connection_closed(1);
  EXPECT_EQ(loads.slots(), 1U) << "a message is left, for which another may be opened";
  EXPECT_TRUE(loads.connection_ready(1)) << "which nothing has paid for";
  loads.end(1);
  EXPECT_EQ(loads.slots(), 1U) << "idle";
  loads.connection_closed(1);
  EXPECT_EQ(loads.slots(), 0U);
  EXPECT_EQ(loads.in_flight(), 0U);
}

TEST(ShardLoads, GivesUpASlotThatCameToNothing) {
  ShardLoads loads(1);
  loads.start(0, true);
  loads.end(0);
  EXPECT_EQ(loads.slots(), 0U);
  EXPECT_EQ(loads.at(0).unopened, 0U);
}

TEST(ShardLoads, IgnoresAShardThatThereIsNot) {
  ShardLoads loads(1);
  loads.start(static_cast<std::size_t>(-1), true);
  loads.end(0);
  loads.connection_closed(0);
  EXPECT_EQ(loads.in_flight(), 0U);
  EXPECT_EQ(loads.slots(), 0U);
}

}  // namespace
}  // namespace relay::queue
