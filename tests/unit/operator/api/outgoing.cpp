#include "operator/api/outgoing.hpp"

#include <gmock/gmock.h>

#include "operator/api/smtp_relay.hpp"

namespace op::api {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Kind = KeyReference::Kind;

relay::Result<SmtpRelay> read(const Json& spec) { return parse_smtp_relay({{"spec", spec}}); }

Spec parsed(const Json& spec) {
  const auto relay = read(spec);
  EXPECT_TRUE(relay) << relay.error().context;
  return relay ? relay->spec : Spec{};
}

/// One smarthost with more fields than it needs.
Spec with_smarthost(Json fields) {
  fields["name"] = "a";
  fields["host"] = "smtp.test";
  return parsed({{"smarthosts", Json::array({std::move(fields)})}});
}

TEST(Outgoing, IsDeliveredByMxUnlessTheResourceSaysMore) {
  const auto spec = parsed(Json::object());
  EXPECT_TRUE(spec.smarthosts.empty());
  EXPECT_EQ(spec.delivery, Delivery{});
  EXPECT_TRUE(spec.dkim.empty());
  EXPECT_EQ(spec.bounces, Bounces{});
}

TEST(Outgoing, HasKeysOfCredentialsByDefault) {
  const auto auth = with_smarthost({{"auth", {{"secretRef", {{"name", "credentials"}}}}}}).smarthosts[0].auth;
  ASSERT_TRUE(auth);
  EXPECT_EQ(*auth, (Auth{"Any", "credentials", "username", "password"}));
}

TEST(Outgoing, HasATokenOnlyWhereOneIsNamed) {
  const auto auth =
    with_smarthost({{"auth",
                     {{"mechanism", "XOAuth2"},
                      {"secretRef", {{"name", "office"}}},
                      {"token", {{"url", "https://login.test"}, {"refreshTokenKey", "refresh"}}}}}})
      .smarthosts[0]
      .auth;
  ASSERT_TRUE(auth && auth->token);
  EXPECT_EQ(*auth->token, (Token{"https://login.test", "", "client-id", "", "refresh"}));
}

TEST(Outgoing, TellsNoLimitFromADefault) {
  const auto spec = parsed(
    {{"delivery",
      {{"destinations",
        Json::array({{{"domains", {"a.test"}}}, {{"domains", {"b.test"}}, {"maxConnections", 3}}})}}}}
  );
  EXPECT_EQ(spec.delivery.destinations.at(0).max_connections, std::nullopt);
  EXPECT_EQ(spec.delivery.destinations.at(1).max_connections, 3U);
}

TEST(Outgoing, HasEachSigningKeyWithItsDefaultName) {
  const auto spec = parsed(
    {{"dkim", Json::array({{{"domain", "a.test"}, {"selector", "s1"}, {"secretRef", {{"name", "dkim"}}}}})}}
  );
  EXPECT_EQ(spec.dkim.at(0).key, (KeyReference{Kind::secret, "dkim", "private.key"}));
  EXPECT_EQ(spec.dkim.at(0).canonicalization, "relaxed/relaxed");
}

TEST(Outgoing, WarmsUpByDays) {
  const auto spec = parsed(
    {{"delivery",
      {{"sources", Json::array(
                     {{{"name", "a"},
                       {"address", "192.0.2.1"},
                       {"warmUp", {{"from", "2026-11-25"}, {"messagesPerDay", {50, 100}}}}}}
                   )}}}}
  );
  EXPECT_THAT(spec.delivery.sources.at(0).messages_a_day, ElementsAre(50U, 100U));
  EXPECT_EQ(spec.delivery.sources.at(0).warm_up_from, "2026-11-25");
}

TEST(Outgoing, MayCutBulkHeadersToNone) {
  EXPECT_TRUE(parsed({{"delivery", {{"bulkHeaders", Json::array()}}}}).delivery.bulk_headers.empty());
}

TEST(Outgoing, NamesTheFieldThatHasTheWrongType) {
  const auto fails = [](const Json& spec, const char* field) {
    const auto relay = read(spec);
    ASSERT_FALSE(relay) << field;
    EXPECT_THAT(relay.error().context, HasSubstr(std::string(field) + " has the wrong type"));
  };
  fails(
    {{"delivery", {{"destinations", Json::array({{{"retry", "often"}}})}}}},
    "spec.delivery.destinations[0].retry"
  );
  fails({{"dkim", Json::array({{{"secretRef", {{"name", 7}}}}})}}, "spec.dkim[0].secretRef.name");
  fails({{"smarthosts", Json::array({{{"auth", "yes"}}})}}, "spec.smarthosts[0].auth");
}

}  // namespace
}  // namespace op::api
