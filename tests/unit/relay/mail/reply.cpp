#include "relay/mail/reply.hpp"

#include <gtest/gtest.h>

namespace relay::mail {
namespace {

TEST(EnhancedStatus, IsReadFromTheStartOfAText) {
  EXPECT_EQ(EnhancedStatus::parse_prefix("5.7.1 no"), (EnhancedStatus{5, 7, 1}));
  EXPECT_EQ(EnhancedStatus::parse_prefix("4.3.999"), (EnhancedStatus{4, 3, 999}));
}

TEST(EnhancedStatus, IsNotGuessedFromOtherText) {
  for (const auto* text :
       {"", "OK", "5", "5.7", "5.7.", "5.7.1000", "3.7.1", "10.1.40.60", "5.7.1no", "1.2.3.4"}) {
    EXPECT_FALSE(EnhancedStatus::parse_prefix(text)) << text;
  }
}

TEST(Reply, IsOneLineInLogs) {
  EXPECT_EQ(
    (Reply{550, EnhancedStatus{5, 1, 1}, "no such\nuser here"}.to_line()), "550 5.1.1 no such user here"
  );
  EXPECT_EQ((Reply{250, std::nullopt, ""}.to_line()), "250");
}

}  // namespace
}  // namespace relay::mail
