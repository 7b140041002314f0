#include "operator/resources/relay_settings.hpp"

#include <gtest/gtest.h>

#include "relay/config/reference.hpp"

namespace op::resources {
namespace {

api::SmtpRelay edge() {
  api::SmtpRelay relay;
  relay.name = "edge";
  relay.name_space = "mail";
  relay.spec.allowed_networks = {"10.20.0.0/16"};
  relay.spec.smarthosts = {{"primary", "smtp.test"}};
  return relay;
}

TEST(RelaySettings, UseOnlyKeysOfTheRelaysTable) {
  const auto settings = Json::parse(relay_settings(edge()));
  for (const auto& [key, value] : settings.items())
    EXPECT_NE(relay::config::find_setting(key), nullptr) << key;
  EXPECT_GT(settings.size(), 18U);
}

TEST(RelaySettings, PutAnIpv6SmarthostInBrackets) {
  auto relay = edge();
  relay.spec.smarthosts[0].host = "2001:db8::25";
  EXPECT_EQ(Json::parse(relay_settings(relay))["smarthost"], "[2001:db8::25]:587");
}

TEST(RelaySettings, NameAnAuthorityOnlyWhereThereIsOne) {
  auto relay = edge();
  EXPECT_FALSE(Json::parse(relay_settings(relay)).contains("smarthost_ca"));
  relay.spec.smarthosts[0].ca = api::KeyReference{api::KeyReference::Kind::secret, "ca", "ca.crt"};
  EXPECT_EQ(Json::parse(relay_settings(relay))["smarthost_ca"], "/etc/smtp-relay/smarthost-ca/ca.pem");
}

TEST(RelaySettings, AreTheSameTextForTheSameResource) {
  EXPECT_EQ(relay_settings(edge()), relay_settings(edge()));
}

TEST(RelaySettings, TellWhichFieldASettingComesFrom) {
  EXPECT_EQ(field_of_setting("max_message_size"), "spec.limits.maxMessageSize");
  EXPECT_EQ(field_of_setting("listen"), "");
  EXPECT_EQ(field_of_setting("unknown"), "");
}

}  // namespace
}  // namespace op::resources
