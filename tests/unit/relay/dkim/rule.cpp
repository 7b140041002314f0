#include "relay/dkim/rule.hpp"

#include "keys.hpp"

namespace relay::dkim {
namespace {

Rule rule() {
  return Rule{.domain = "example.org", .selector = "s1", .key = test::key(test::kRfc8463Ed25519)};
}

TEST(Rule, WithoutSendersIsForItsDomainAndWhatLiesBelow) {
  EXPECT_TRUE(is_for(rule(), "example.org"));
  EXPECT_TRUE(is_for(rule(), "mail.example.org"));
  EXPECT_FALSE(is_for(rule(), "anexample.org"));
  EXPECT_FALSE(is_for(rule(), ".example.org"));
  EXPECT_FALSE(is_for(rule(), "org"));
}

TEST(Rule, IsForTheSendersThatItNames) {
  auto named = rule();
  named.senders = {"A.example", "*.b.example"};
  EXPECT_TRUE(is_for(named, "a.example"));
  EXPECT_TRUE(is_for(named, "x.b.example"));
  EXPECT_FALSE(is_for(named, "b.example"));
  EXPECT_FALSE(is_for(named, "x.a.example"));
  EXPECT_FALSE(is_for(named, "example.org"));
  named.senders = {"*"};
  EXPECT_TRUE(is_for(named, "anything"));
}

TEST(Rule, IsCheckedPartByPart) {
  EXPECT_TRUE(check(rule()));
  const std::vector<void (*)(Rule&)> faults{
    [](Rule& r) { r.domain = ""; },
    [](Rule& r) { r.domain = "a; l=0"; },
    [](Rule& r) { r.domain = "a\r\nX: y"; },
    [](Rule& r) { r.selector = "s;"; },
    [](Rule& r) { r.selector = ""; },
    [](Rule& r) {
      r.domain = std::string(60, 'a') + "." + std::string(60, 'b') + "." + std::string(60, 'c') + "." +
                 std::string(60, 'd');
    },
    [](Rule& r) { r.key = nullptr; },
    [](Rule& r) { r.senders = {"*.*"}; },
    [](Rule& r) { r.senders = {"a@b"}; },
    [](Rule& r) { r.headers = {"From", "received"}; },
    [](Rule& r) { r.headers = {"X Y"}; },
    [](Rule& r) { r.headers = {"*"}; },
    [](Rule& r) { r.oversigned = {"List-*"}; },
    [](Rule& r) { r.oversigned = {"DKIM-signature"}; },
    [](Rule& r) { r.expires = seconds(0); },
  };
  for (std::size_t i = 0; i < faults.size(); ++i) {
    auto broken = rule();
    faults[i](broken);
    const auto checked = check(broken);
    ASSERT_FALSE(checked) << i;
    EXPECT_EQ(checked.error().code, Errc::invalid_argument);
  }
}

}  // namespace
}  // namespace relay::dkim
