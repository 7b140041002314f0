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

TEST(Reply, IsReadBackFromItsLine) {
  for (const Reply& reply :
       {Reply{450, EnhancedStatus{4, 2, 1}, "busy, come again"}, Reply{250, std::nullopt, ""},
        Reply{451, std::nullopt, "later"}, Reply{554, EnhancedStatus{5, 7, 1}, ""}})
    EXPECT_EQ(Reply::parse_line(reply.to_line()), reply) << reply.to_line();
  for (const auto* other : {"", "wait", "45", "4500 x", "199 x", "600 x", "4.2.1 busy"})
    EXPECT_FALSE(Reply::parse_line(other)) << other;
}

}  // namespace
}  // namespace relay::mail
