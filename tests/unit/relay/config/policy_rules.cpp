#include "relay/config/policy_rules.hpp"

#include <gmock/gmock.h>

#include "relay/config/load.hpp"

namespace relay::config {
namespace {

using policy::Action;
using ::testing::HasSubstr;

constexpr const char* kSmarthosts = R"("smarthosts": [{"name": "primary", "host": "smtp.test"}], )";

Loaded load_rules(const std::string& rules) {
  return load({"{" + std::string(kSmarthosts) + R"("policies": [)" + rules + "]}", "relay.json", {}});
}
std::string faults(const std::string& rules) {
  std::string all;
  for (const auto& fault : load_rules(rules).faults) all += fault.to_text() + "\n";
  return all;
}
std::string with(const std::string& fields) { return R"({"name": "r", )" + fields + "}"; }

TEST(PolicyRules, AreNoneByDefault) { EXPECT_TRUE(policy_rules(load({}).settings).empty()); }

TEST(PolicyRules, AreWhatTheSettingsSay) {
  const auto loaded = load_rules(R"(
    {"name": "all", "clients": ["10.0.0.0/8"], "helo": ["app-*"], "senders": ["a.test", "<>"],
     "recipients": ["*@b.test"], "tls": "off", "larger_than": "1Mi", "header": "Subject", "header_value": "*a b*",
     "action": "reject", "reply": "554 5.6.0 Not this"},
    {"name": "later", "action": "defer"}, {"name": "never", "action": "reject"},
    {"name": "test", "action": "redirect", "redirect_to": "test@c.test"},
    {"name": "by", "tls": "on", "action": "route", "smarthost": "primary"})");
  ASSERT_TRUE(loaded.faults.empty()) << loaded.faults.front().to_text();
  const auto rules = policy_rules(loaded.settings);
  ASSERT_EQ(rules.size(), 5U);
  const policy::Match match{
    {*Cidr::parse("10.0.0.0/8")},
    {},
    {"app-*"},
    {"a.test", "<>"},
    {"*@b.test"},
    false,
    Octets{1U << 20U},
    "Subject",
    "*a b*"
  };
  EXPECT_EQ(rules[0].match, match);
  EXPECT_EQ(rules[0].reply.to_line(), "554 5.6.0 Not this");
  EXPECT_EQ(rules[1].reply.to_line(), "451 4.7.1 Deferred by policy");
  EXPECT_EQ(rules[2].reply.to_line(), "550 5.7.1 Refused by policy");
  EXPECT_EQ(rules[2].match, policy::Match{});
  EXPECT_EQ(rules[3].redirect_to.to_text(), "test@c.test");
  EXPECT_EQ(rules[4].smarthost, "primary");
  EXPECT_EQ(rules[4].match.tls, true);
}

TEST(PolicyRules, AreRefusedWithTheirPlace) {
  EXPECT_THAT(
    faults(with(R"("action": "hold", "senders": ["a b"])")), HasSubstr("[0].senders: 'a b' is not accepted")
  );
  EXPECT_THAT(faults(with(R"("action": "throw")")), HasSubstr("[0].action: 'throw' is not accepted"));
  EXPECT_THAT(faults(with(R"("senders": ["a"])")), HasSubstr("[0].action: is missing"));
  EXPECT_THAT(faults(with(R"("action": "hold", "sender": ["a"])")), HasSubstr("[0].sender: unknown key"));
}

TEST(PolicyRules, HaveWhatTheirActionNeedsAndNoMore) {
  EXPECT_EQ(faults(with(R"("action": "reject", "reply": "550 5.7.1 No")")), "");
  EXPECT_THAT(
    faults(with(R"("action": "reject", "reply": "450 4.7.1 No")")), HasSubstr("reject needs a reply of 55z")
  );
  EXPECT_THAT(
    faults(with(R"("action": "defer", "reply": "550 5.7.1 No")")), HasSubstr("defer and limit one of 45z")
  );
  EXPECT_THAT(
    faults(with(R"("action": "hold", "reply": "550 No")")), HasSubstr("reply is for reject, defer and limit")
  );
  EXPECT_THAT(faults(with(R"("action": "redirect")")), HasSubstr("redirect needs redirect_to"));
  EXPECT_THAT(faults(with(R"("action": "hold", "redirect_to": "a@b.test")")), HasSubstr("is for it alone"));
  EXPECT_THAT(faults(with(R"("action": "route")")), HasSubstr("route needs smarthost"));
  EXPECT_THAT(faults(with(R"("action": "hold", "smarthost": "primary")")), HasSubstr("is for it alone"));
  EXPECT_THAT(
    faults(with(R"("action": "hold", "header_value": "a")")), HasSubstr("header_value needs header")
  );
}

TEST(PolicyRules, SayWhatGoesOnAndHowMuch) {
  const auto loaded = load_rules(R"(
    {"name": "fast", "users": ["app-*"], "listeners": ["submission"], "authenticated": "on", "action": "limit",
     "limit_rate": "100/1h", "limit_key": "sender_domain", "limit_unit": "recipients"},
    {"name": "own", "action": "limit", "limit_rate": "1/10s", "reply": "450 4.7.1 Slowly"},
    {"name": "add", "action": "add_header", "field_name": "X-Tag", "field_value": "yes, really"},
    {"name": "remove", "action": "remove_header", "field_name": "X-Secret"},
    {"name": "rename", "action": "rewrite_sender", "new_sender": "noreply@a.test", "new_from": "on"},
    {"name": "bulk", "action": "set_priority", "priority": "bulk"},
    {"name": "copy", "action": "copy", "copy_to": "archive@a.test"})");
  ASSERT_TRUE(loaded.faults.empty()) << loaded.faults.front().to_text();
  const auto rules = policy_rules(loaded.settings);
  ASSERT_EQ(rules.size(), 7U);
  EXPECT_EQ(rules[0].match.users, std::vector<std::string>{"app-*"});
  EXPECT_EQ(rules[0].match.listeners, std::vector<std::string>{"submission"});
  EXPECT_EQ(rules[0].match.authenticated, true);
  const policy::Limit limit{
    100, std::chrono::hours{1}, policy::LimitKey::sender_domain, policy::LimitUnit::recipients
  };
  EXPECT_EQ(rules[0].limit, limit);
  EXPECT_EQ(
    rules[0].reply.to_line(),
    "451 4.7.1 Limit fast of 100 recipients in 1h for each sender domain is exceeded: keep the mail and try "
    "again later"
  );
  EXPECT_EQ(rules[1].reply.to_line(), "450 4.7.1 Slowly");
  EXPECT_EQ(rules[1].limit, (policy::Limit{1, std::chrono::seconds{10}}));
  EXPECT_EQ(rules[2].field_name, "X-Tag");
  EXPECT_EQ(rules[2].field_value, "yes, really");
  EXPECT_EQ(rules[3].field_name, "X-Secret");
  EXPECT_EQ(rules[4].new_sender.to_text(), "noreply@a.test");
  EXPECT_TRUE(rules[4].rewrites_from);
  EXPECT_EQ(rules[5].priority, mail::Priority::bulk);
  EXPECT_EQ(rules[6].copy_to.to_text(), "archive@a.test");
}

TEST(PolicyRules, ThatGoOnHaveWhatTheirActionNeedsAndNoMore) {
  const std::vector<std::pair<std::string, std::string>> wrong{
    {R"("action": "limit")", "limit needs limit_rate"},
    {R"("action": "hold", "limit_rate": "1/1s")", "limit needs limit_rate, which is for it alone"},
    {R"("action": "hold", "limit_key": "user")", "are for limit"},
    {R"("action": "limit", "limit_rate": "1/1s", "reply": "550 No")", "defer and limit one of 45z"},
    {R"("action": "add_header", "field_value": "a")", "need field_name"},
    {R"("action": "add_header", "field_name": "X")", "add_header needs field_value"},
    {R"("action": "remove_header", "field_name": "X", "field_value": "a")", "is for it alone"},
    {R"("action": "hold", "field_name": "X")", "for them alone"},
    {R"("action": "rewrite_sender")", "needs new_sender"},
    {R"("action": "hold", "new_from": "on")", "new_from is for rewrite_sender"},
    {R"("action": "set_priority")", "needs priority"},
    {R"("action": "copy")", "copy needs copy_to"},
    {R"("action": "hold", "copy_to": "a@b.test")", "is for it alone"},
    {R"("action": "hold", "authenticated": "off", "users": ["*"])", "users have logged in"},
  };
  for (const auto& [fields, words] : wrong) EXPECT_THAT(faults(with(fields)), HasSubstr(words)) << fields;
}

TEST(PolicyRules, NameSmarthostsThatAreThere) {
  EXPECT_EQ(faults(with(R"("action": "route", "smarthost": "primary")")), "");
  EXPECT_THAT(
    faults(with(R"("action": "route", "smarthost": "other")")),
    HasSubstr("there is no smarthost 'other' for 'r'")
  );
}

TEST(PolicyRules, HaveNamesOfTheirOwnAndAreBounded) {
  EXPECT_THAT(
    faults(with(R"("action": "hold")") + ", " + with(R"("action": "accept")")),
    HasSubstr("the name 'r' is there twice")
  );
  std::string many;
  for (std::size_t i = 0; i <= 128; ++i)
    many += (i == 0 ? "" : ", ") + (R"({"name": "r)" + std::to_string(i) + R"(", "action": "hold"})");
  EXPECT_THAT(faults(many), HasSubstr("more than 128 rules"));
}

}  // namespace
}  // namespace relay::config
