#include "relay/session/mending.hpp"

#include <gmock/gmock.h>

#include "tests/support/exchange.hpp"

namespace relay::session {
namespace {

using test::address;

const WallTime kBegin{};

TEST(MendingOfSessions, AddsNothingUnlessItIsAskedFor) {
  EXPECT_TRUE(mending_of({}, address("a@b"), kBegin).is_nothing());
}

TEST(MendingOfSessions, SaysWhatAMessageGetsThatLacksIt) {
  Rules rules;
  rules.hostname = "node1.test";
  rules.limits.unqualified_domain = "corp.test";
  rules.mends_date = rules.mends_message_id = rules.mends_from = true;
  const auto mending = mending_of(rules, address("a@b.test"), kBegin);
  EXPECT_EQ(mending.unqualified_domain, "corp.test");
  EXPECT_THAT(mending.date, ::testing::HasSubstr("1 Jan 1970 00:00:00 +0000"));
  EXPECT_EQ(mending.from, "a@b.test");
  EXPECT_THAT(mending.message_id, ::testing::MatchesRegex("<[0-9a-f]{32}@node1.test>"));
  EXPECT_NE(mending.message_id, mending_of(rules, address("a@b.test"), kBegin).message_id);
  EXPECT_EQ(mending_of(rules, {}, kBegin).from, "MAILER-DAEMON@node1.test");
}

}  // namespace
}  // namespace relay::session
