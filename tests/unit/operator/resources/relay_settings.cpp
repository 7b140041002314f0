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

TEST(RelaySettings, NameAllSmarthostsInOneListAndNoneAlone) {
  auto relay = edge();
  relay.spec.smarthosts.push_back({"second", "2001:db8::25"});
  const auto settings = Json::parse(relay_settings(relay));
  EXPECT_EQ(settings["smarthosts"].size(), 2U);
  EXPECT_FALSE(settings.contains("smarthost"));
}

TEST(RelaySettings, SayNothingOfSmarthostsWhereThereAreNone) {
  auto relay = edge();
  relay.spec.smarthosts.clear();
  EXPECT_FALSE(Json::parse(relay_settings(relay)).contains("smarthosts"));
}

TEST(RelaySettings, NameTheFilesOfTrustAnchorsThatAreThere) {
  auto relay = edge();
  EXPECT_FALSE(Json::parse(relay_settings(relay, {"a.ds"})).contains("dns_trust_anchors"));
  relay.spec.delivery.trust_anchors = "anchors";
  EXPECT_EQ(
    Json::parse(relay_settings(relay, {"a.ds"}))["dns_trust_anchors"],
    Json::array({"/etc/smtp-relay/refs/configmap-anchors/a.ds"})
  );
}

TEST(RelaySettings, SayWhetherAddressesAreRedacted) {
  auto relay = edge();
  EXPECT_EQ(Json::parse(relay_settings(relay))["log_addresses"], "plain");
  relay.spec.redacts_addresses = true;
  EXPECT_EQ(Json::parse(relay_settings(relay))["log_addresses"], "redacted");
  EXPECT_FALSE(Json::parse(relay_settings(relay)).contains("log_redaction_key"));
}

TEST(RelaySettings, HaveTheRelaysOwnDefaults) {
  const auto ours = Json::parse(relay_settings(edge()));
  for (const std::string key :
       {"mx_tls", "mx_max_connections", "bulk_headers", "bounce_max_size", "bounce_rate",
        "dead_letter_max_age", "log_addresses", "retry_warn_after", "mx_retry_initial_delay",
        "delivery_connections_total", "delivery_messages_total", "max_recipients", "max_connections",
        "session_idle_timeout"}) {
    const auto* setting = relay::config::find_setting(key);
    ASSERT_NE(setting, nullptr) << key;
    EXPECT_EQ(relay::config::as_text(ours[key], setting->shape), std::string(setting->default_value)) << key;
  }
}

TEST(RelaySettings, AreTheSameTextForTheSameResource) {
  EXPECT_EQ(relay_settings(edge()), relay_settings(edge()));
}

TEST(RelaySettings, TellWhichFieldASettingComesFrom) {
  EXPECT_EQ(field_of_setting("max_message_size"), "spec.limits.maxMessageSize");
  EXPECT_EQ(field_of_setting("destinations"), "spec.delivery.destinations");
  EXPECT_EQ(field_of_setting("listen"), "");
  EXPECT_EQ(field_of_setting("unknown"), "");
}

TEST(RelaySettings, AreFixedWherePodsHavePortsAndMountsForThem) {
  for (const auto* key :
       {"listen", "passwd_client", "dkim", "mx_ca", "dns_trust_anchors", "log_redaction_key"})
    EXPECT_TRUE(is_fixed_by_the_pod(key)) << key;
  for (const auto* key : {"smarthosts", "max_message_size", "unknown"})
    EXPECT_FALSE(is_fixed_by_the_pod(key)) << key;
}

}  // namespace
}  // namespace op::resources
