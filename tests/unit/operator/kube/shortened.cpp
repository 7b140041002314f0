#include "operator/kube/shortened.hpp"

#include <gtest/gtest.h>

#include "operator/kube/object.hpp"

namespace op::kube {
namespace {

TEST(Shortened, LeavesATextThatFitsAsItIs) {
  EXPECT_EQ(shortened("", 10), "");
  EXPECT_EQ(shortened("0123456789", 10), "0123456789");
}

TEST(Shortened, SaysThatThereWasMoreWithinItsLimit) {
  EXPECT_EQ(shortened("0123456789x", 10), "012345 ...");
  EXPECT_EQ(shortened("0123456789x", 4), " ...");
}

TEST(Shortened, NeverCutsACharacterSoThatAServerStoresWhatItIsTold) {
  const std::string text = "aß€𝄞aß€𝄞aß€𝄞";
  for (std::size_t limit = 4; limit < text.size(); ++limit) {
    const auto some = shortened(text, limit);
    EXPECT_LE(some.size(), limit);
    EXPECT_EQ(Json::parse(Json(some).dump(-1, ' ', false, Json::error_handler_t::replace)), some) << limit;
  }
}

}  // namespace
}  // namespace op::kube
