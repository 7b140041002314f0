#include "operator/api/policies.hpp"

#include <gmock/gmock.h>

#include "operator/api/smtp_relay.hpp"

namespace op::api {
namespace {

using ::testing::HasSubstr;

relay::Result<SmtpRelay> read(const Json& policy) {
  return parse_smtp_relay({{"spec", {{"policies", Json::array({policy})}}}});
}

TEST(Policies, AreNoneUnlessTheResourceHasSome) {
  EXPECT_TRUE(parse_smtp_relay({{"spec", Json::object()}})->spec.policies.empty());
}

TEST(Policies, AreReadWithAllTheirFields) {
  const auto read_one = read(
    {{"name", "all"},
     {"match",
      {{"clients", {"10.0.0.0/8"}},
       {"helo", {"app-*"}},
       {"senders", {"<>"}},
       {"recipients", {"b.test"}},
       {"tls", false},
       {"largerThan", "1Mi"},
       {"header", {{"name", "Subject"}, {"value", "*a*"}}}}},
     {"action", "Reject"},
     {"reply", "550 5.7.1 No"},
     {"redirectTo", "a@b.test"},
     {"smarthost", "primary"}}
  );
  ASSERT_TRUE(read_one) << read_one.error().context;
  const PolicyMatch match{{"10.0.0.0/8"}, {"app-*"}, {"<>"}, {"b.test"}, false, "1Mi", "Subject", "*a*"};
  EXPECT_EQ(
    read_one->spec.policies.at(0), (Policy{"all", match, "Reject", "550 5.7.1 No", "a@b.test", "primary"})
  );
}

TEST(Policies, AreReadWithWhatTheyDoAndGoOn) {
  const auto read_one = read(
    {{"name", "all"},
     {"match", {{"listeners", {"smtp"}}, {"users", {"app-*"}}, {"authenticated", true}}},
     {"action", "Limit"},
     {"limit", {{"rate", "100/1h"}, {"key", "User"}, {"unit", "Recipients"}}},
     {"field", {{"name", "X-Tag"}, {"value", "yes"}}},
     {"newSender", "a@b.test"},
     {"newFrom", true},
     {"priority", "Bulk"},
     {"copyTo", "c@d.test"}}
  );
  ASSERT_TRUE(read_one) << read_one.error().context;
  Policy policy{"all", {}, "Limit"};
  policy.match.listeners = {"smtp"};
  policy.match.users = {"app-*"};
  policy.match.authenticated = true;
  policy.limit = {"100/1h", "User", "Recipients"};
  policy.field = "X-Tag";
  policy.field_value = "yes";
  policy.new_sender = "a@b.test";
  policy.new_from = true;
  policy.priority = "Bulk";
  policy.copy_to = "c@d.test";
  EXPECT_EQ(read_one->spec.policies.at(0), policy);
}

TEST(SenderBindings, AreReadWithAllTheirFields) {
  const Json binding{
    {"name", "erp"},
    {"users", {"u"}},
    {"clients", {"10.0.0.0/8"}},
    {"senders", {"a.test"}},
    {"headerFrom", true}
  };
  const auto relay = parse_smtp_relay({{"spec", {{"access", {{"senderBindings", Json::array({binding})}}}}}});
  ASSERT_TRUE(relay) << relay.error().context;
  const SenderBinding expected{"erp", {"u"}, {"10.0.0.0/8"}, {"a.test"}, true};
  EXPECT_EQ(relay->spec.sender_bindings, std::vector<SenderBinding>{expected});
}

TEST(Policies, NeedNoMatch) {
  EXPECT_EQ(read({{"name", "all"}, {"action", "Hold"}})->spec.policies.at(0), (Policy{"all", {}, "Hold"}));
}

TEST(Policies, TellWhichFieldHasTheWrongType) {
  const auto wrong = read({{"name", "all"}, {"action", "Hold"}, {"match", {{"tls", "on"}}}});
  EXPECT_THAT(wrong.error().context, HasSubstr("spec.policies[0].match.tls has the wrong type"));
}

}  // namespace
}  // namespace op::api
