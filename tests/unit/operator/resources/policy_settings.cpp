#include "operator/resources/policy_settings.hpp"

#include <gtest/gtest.h>

#include "relay/config/object_tables.hpp"

namespace op::resources {
namespace {

using relay::config::PolicyRule;

/// What the relay makes of the resource's rules.
std::vector<PolicyRule> read(const api::Spec& spec) {
  auto rules = relay::config::read_objects(relay::config::fields_of<PolicyRule>(), policies(spec).dump());
  EXPECT_TRUE(rules) << rules.error().context;
  if (!rules) return {};
  for (const auto& rule : *rules) EXPECT_EQ(relay::config::wrong_with(rule), "");
  return *rules;
}

TEST(PolicySettings, AreNotWrittenWhereThereAreNone) { EXPECT_TRUE(policies({}).is_null()); }

TEST(PolicySettings, LeaveWhatARuleDoesNotSayToTheRelay) {
  api::Spec spec;
  spec.policies = {{"all", {}, "Hold"}};
  EXPECT_EQ(policies(spec).dump(), R"([{"name":"all","action":"hold"}])");
  EXPECT_EQ(read(spec).at(0).header_value, "*");
}

TEST(PolicySettings, SayEachFieldAsTheRelayReadsIt) {
  api::Spec spec;
  spec.policies = {
    {"never",
     {{"10.0.0.0/8"}, {"app-*"}, {"a.test", "<>"}, {"*@b.test"}, false, "1Mi", "Subject", "*a, b*"},
     "Reject",
     "550 5.7.1 No"},
    {"test", {}, "Redirect", "", "a@b.test"},
    {"by", {}, "Route", "", "", "primary"},
  };
  spec.policies[1].match.tls = true;
  const auto rules = read(spec);
  ASSERT_EQ(rules.size(), 3U);
  EXPECT_EQ(rules[0].clients.size(), 1U);
  EXPECT_EQ(rules[0].senders, (std::vector<std::string>{"a.test", "<>"}));
  EXPECT_EQ(rules[0].tls, relay::config::Switch::off);
  EXPECT_EQ(rules[0].larger_than, relay::Octets{1U << 20U});
  EXPECT_EQ(rules[0].header_value, "*a, b*");
  EXPECT_EQ(rules[0].reply, "550 5.7.1 No");
  EXPECT_EQ(rules[1].tls, relay::config::Switch::on);
  EXPECT_EQ(rules[1].redirect_to, "a@b.test");
  EXPECT_EQ(rules[2].action, relay::policy::Action::route);
  EXPECT_EQ(rules[2].smarthost, "primary");
}

TEST(PolicySettings, NameEachActionAsTheRelayDoes) {
  for (const auto* action : {"Accept", "Reject", "Defer", "Discard", "Hold"}) {
    api::Spec spec;
    spec.policies = {{"a", {}, action}};
    EXPECT_EQ(read(spec).size(), 1U) << action;
  }
  api::Spec spec;
  spec.policies.assign(6, {"a", {}, ""});
  spec.policies[0].action = "Limit";
  spec.policies[0].limit = {"100/1h", "SenderDomain", "Recipients"};
  spec.policies[0].match.users = {"app-*"};
  spec.policies[0].match.authenticated = true;
  spec.policies[1].action = "AddHeader";
  spec.policies[1].field = "X-Tag";
  spec.policies[1].field_value = "yes";
  spec.policies[2].action = "RemoveHeader";
  spec.policies[2].field = "X-Secret";
  spec.policies[3].action = "RewriteSender";
  spec.policies[3].new_sender = "a@b.test";
  spec.policies[3].new_from = false;
  spec.policies[4].action = "SetPriority";
  spec.policies[4].priority = "Bulk";
  spec.policies[5].action = "Copy";
  spec.policies[5].copy_to = "c@d.test";
  const auto rules = read(spec);
  ASSERT_EQ(rules.size(), 6U);
  for (const auto& rule : rules) EXPECT_EQ(relay::config::wrong_with(rule), "") << to_text(rule.action);
  EXPECT_EQ(rules[0].limit_key, relay::policy::LimitKey::sender_domain);
  EXPECT_EQ(rules[0].limit_unit, relay::policy::LimitUnit::recipients);
  EXPECT_EQ(rules[0].authenticated, relay::config::Switch::on);
  EXPECT_EQ(rules[3].new_from, relay::config::Switch::off);
  EXPECT_EQ(rules[4].priority, relay::mail::Priority::bulk);
}

TEST(PolicySettings, SayWhoMaySendAsWhom) {
  api::Spec spec;
  EXPECT_TRUE(sender_bindings(spec).is_null());
  spec.sender_bindings = {{"erp", {"u"}, {"10.0.0.0/8"}, {"a.test"}, true}, {"b", {"v"}, {}, {"b.test"}}};
  EXPECT_EQ(
    sender_bindings(spec).dump(),
    R"([{"name":"erp","users":["u"],"clients":["10.0.0.0/8"],"senders":["a.test"],"header_from":"on"},)"
    R"({"name":"b","users":["v"],"senders":["b.test"]}])"
  );
}

}  // namespace
}  // namespace op::resources
