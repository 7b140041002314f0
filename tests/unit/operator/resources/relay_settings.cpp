#include "operator/resources/relay_settings.hpp"

#include <algorithm>
#include <gtest/gtest.h>
#include <set>
#include <sstream>

#include "relay/config/reference.hpp"
#include "tests/support/yaml.hpp"

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

bool is_left_alone(std::string_view key) {
  const auto left = settings_left_alone();
  return std::any_of(left.begin(), left.end(), [&](const LeftAlone& each) { return each.key == key; });
}

bool is_rendered(std::string_view key) { return !field_of_setting(key).empty() || is_fixed_by_the_pod(key); }

TEST(RelaySettings, AreAllThatTheRelayHasOrLeftAloneForAReason) {
  for (const auto& setting : relay::config::settings_table())
    EXPECT_NE(is_rendered(setting.key), is_left_alone(setting.key))
      << setting.key << ": render it, or say in settings_left_alone() why not";
  for (const auto& each : settings_left_alone()) {
    EXPECT_NE(relay::config::find_setting(each.key), nullptr) << each.key;
    EXPECT_FALSE(each.why.empty()) << each.key;
  }
}

TEST(RelaySettings, ThatAreLeftAloneAreInTheDocumentation) {
  const auto page = relay::test::read_text("docs/operator.md");
  const std::string head = "### Settings without a field";
  ASSERT_NE(page.find(head), std::string::npos);
  const auto rest = page.substr(page.find(head) + head.size());
  const auto section = rest.substr(0, rest.find("\n#"));
  std::string table = "| setting | why, and what there is instead |\n|---|---|\n";
  for (const auto& each : settings_left_alone())
    table += "| `" + std::string(each.key) + "` | " + std::string(each.why) + " |\n";
  EXPECT_NE(section.find(table), std::string::npos) << "it should have:\n" << table;
}

const Json& spec_schema() {
  static const Json schema = relay::test::read_yaml("crds/smtp.buildinglink.com_smtprelays.yaml")
                               .at("/spec/versions/0/schema/openAPIV3Schema/properties/spec"_json_pointer);
  return schema;
}

/// The part of the definition with this path, `spec.limits.maxMessageSize`, or null.
Json schema_at(std::string_view path) {
  auto schema = spec_schema();
  std::istringstream names{std::string(path)};
  std::string name;
  std::getline(names, name, '.');
  while (std::getline(names, name, '.')) {
    const auto properties = schema.value("properties", Json::object());
    if (!properties.contains(name)) return nullptr;
    schema = properties[name];
  }
  return schema;
}

TEST(RelaySettings, ComeFromFieldsThatTheDefinitionHas) {
  for (const auto& setting : relay::config::settings_table()) {
    const auto field = field_of_setting(setting.key);
    if (!field.empty()) EXPECT_FALSE(schema_at(field).is_null()) << field;
  }
}

TEST(RelaySettings, HaveTheRelaysOwnDefaults) {
  // What every resource says, or edge() does.
  const std::set<std::string_view> said{"allowed_networks", "smarthosts"};
  const auto ours = Json::parse(relay_settings(edge()));
  std::size_t compared = 0;
  for (const auto& setting : relay::config::settings_table()) {
    const std::string key(setting.key);
    if (field_of_setting(key).empty() || said.contains(key) || !ours.contains(key)) continue;
    EXPECT_EQ(relay::config::as_text(ours[key], setting.shape), std::string(setting.default_value)) << key;
    ++compared;
  }
  EXPECT_GT(compared, 25U);
}

/// Numbers of a setting, as its row words them: `1 to 1000`.
TEST(RelaySettings, HaveTheRelaysOwnBounds) {
  std::size_t compared = 0;
  for (const auto& setting : relay::config::settings_table()) {
    const auto schema = schema_at(field_of_setting(setting.key));
    if (field_of_setting(setting.key).empty() || schema.value("type", "") != "integer") continue;
    EXPECT_EQ(schema["minimum"].dump() + " to " + schema["maximum"].dump(), setting.accepted) << setting.key;
    ++compared;
  }
  EXPECT_GT(compared, 4U);
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
