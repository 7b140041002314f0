#include "relay/base/queue_id.hpp"

#include <gtest/gtest.h>

namespace relay {
namespace {

TEST(QueueId, RoundTripsThroughItsText) {
  for (const auto id :
       {QueueId{0, 0}, QueueId{1, 2}, QueueId{0xffffffff, 0xffffffffffffffff}, QueueId{77, 1ULL << 40U}}) {
    const auto text = id.to_text();
    EXPECT_EQ(text.size(), 20U);
    EXPECT_EQ(QueueId::parse(text), id);
  }
}

TEST(QueueId, SortsAsTextAsItDoesAsValue) {
  EXPECT_LT((QueueId{5, 31}.to_text()), (QueueId{5, 32}.to_text()));
  EXPECT_LT((QueueId{5, 0xffff}.to_text()), (QueueId{6, 0}.to_text()));
}

TEST(QueueId, RefusesForeignText) {
  for (const auto* text :
       {"", "0", "0000000000000000000w", "000000000000000000000", "vvvvvvv0000000000000",
        "0000000vvvvvvvvvvvvv"}) {
    EXPECT_FALSE(QueueId::parse(text)) << text;
  }
}

}  // namespace
}  // namespace relay
