#include "relay/app/admin_queue.hpp"

#include <gtest/gtest.h>

namespace relay::app {
namespace {

using engine::QueueAction;

TEST(ParseChange, ReadsWhatIsSelectedAndWhy) {
  const auto change = parse_change(
    QueueAction::remove,
    R"({"sender": "a@b.test", "state": "held", "limit": 7, "after": "h:x", "by": "me", "reason": "spam",
        "report_to_sender": true})"
  );
  ASSERT_TRUE(change);
  EXPECT_EQ(change->selection.sender, "a@b.test");
  EXPECT_EQ(change->selection.state, "held");
  EXPECT_EQ(change->limit, 7U);
  EXPECT_EQ(change->cursor, "h:x");
  EXPECT_EQ(change->by, "me");
  EXPECT_EQ(change->reason, "spam");
  EXPECT_TRUE(change->is_reported);
}

TEST(ParseChange, WantsASelectionOrTheWordAll) {
  EXPECT_FALSE(parse_change(QueueAction::hold, ""));
  EXPECT_FALSE(parse_change(QueueAction::hold, R"({"reason": "x", "all": false})"));
  EXPECT_TRUE(parse_change(QueueAction::hold, R"({"all": true})"));
  EXPECT_TRUE(parse_change(QueueAction::hold, R"({"places": ["w:x"]})"));
  EXPECT_TRUE(parse_change(QueueAction::hold, R"({"state": "waiting"})"));
}

TEST(ParseChange, SaysWhatIsWrong) {
  for (const auto* body :
       {"[]", "x", R"({"id": "x"})", R"({"id": 7})", R"({"state": "gone"})", R"({"all": true, "limit": "x"})"
       }) {
    const auto change = parse_change(QueueAction::hold, body);
    ASSERT_FALSE(change) << body;
    EXPECT_EQ(change.error().code, Errc::invalid_argument) << body;
  }
}

TEST(ParseDestination, ReadsDomainsInAnyCase) {
  EXPECT_EQ(parse_destination("mx/Example.ORG")->name, "mx/example.org");
  EXPECT_EQ(parse_destination("smarthost/Backup-1")->name, "smarthost/Backup-1");
  const auto change = parse_change(QueueAction::retry, R"({"destination": "mx/EXAMPLE.org"})");
  ASSERT_TRUE(change);
  EXPECT_EQ(change->selection.destination, "mx/example.org");
}

TEST(ParseDestination, RefusesWhatNoDestinationIsCalled) {
  using namespace std::string_view_literals;
  for (const auto text :
       {""sv, "mx"sv, "mx/"sv, "example.org"sv, "smtp/x"sv, "mx/example.org;bulk"sv, "smarthost/a\0b"sv}) {
    const auto parsed = parse_destination(text);
    ASSERT_FALSE(parsed) << text;
    EXPECT_EQ(parsed.error().code, Errc::invalid_argument);
  }
  EXPECT_FALSE(parse_change(QueueAction::retry, R"({"destination": "exmaple.org"})"));
}

}  // namespace
}  // namespace relay::app
