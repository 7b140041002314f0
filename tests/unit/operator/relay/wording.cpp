#include "operator/relay/wording.hpp"

#include <gtest/gtest.h>

namespace op::smtp_relay {
namespace {

TEST(Wording, CountsOneAndMany) {
  EXPECT_EQ(counted(0, "node"), "0 nodes");
  EXPECT_EQ(counted(1, "node"), "1 node");
  EXPECT_EQ(counted(2, "node"), "2 nodes");
}

TEST(Wording, NamesTheFirstAndCountsTheOthers) {
  EXPECT_EQ(listed({}, 2), "");
  EXPECT_EQ(listed({"a", "b"}, 2), "a, b");
  EXPECT_EQ(listed({"a", "b", "c"}, 2), "a, b and 1 more");
}

}  // namespace
}  // namespace op::smtp_relay
