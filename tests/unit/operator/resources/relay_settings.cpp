#include "operator/resources/relay_settings.hpp"

#include <algorithm>
#include <gtest/gtest.h>
#include <map>
#include <set>
#include <sstream>

#include "relay/base/text.hpp"
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

/// A relay of an older image refuses settings that it does not know.
TEST(RelaySettings, SayNothingThatOlderRelaysDoNotKnowUnlessItIsAskedFor) {
  auto relay = edge();
  const std::vector<std::string> later{
    "max_connections_per_client",
    "retry_multiplier",
    "health_fail_on",
    "flush_timeout",
    "log_level",
    "tls_mode",
    "tls_certificate_file",
    "tls_key_file",
    "tls_min_version",
    "auth_users_file",
    "auth_requires_tls",
    "listeners"
  };
  const auto plain = Json::parse(relay_settings(relay));
  for (const auto& key : later) EXPECT_FALSE(plain.contains(key)) << key;
  relay.spec.max_connections_per_client = 7;
  relay.spec.retry_multiplier = "1.5";
  relay.spec.health_fail_on = {"SmarthostDown", "CredentialsRefused"};
  relay.spec.flush_timeout = "5s";
  relay.spec.log_level = "warning";
  relay.spec.tls_mode = "None";
  relay.spec.tls_certificate = "smtp-tls";
  relay.spec.tls_min_version = "1.3";
  relay.spec.auth_users = api::KeyReference{api::KeyReference::Kind::secret, "smtp-users", "users"};
  relay.spec.auth_requires_tls = false;
  relay.spec.listeners = {{"other", 587}};
  const auto settings = Json::parse(relay_settings(relay));
  for (const auto& key : later) EXPECT_TRUE(settings.contains(key)) << key;
  EXPECT_EQ(settings["health_fail_on"], Json::array({"smarthost_down", "credentials_refused"}));
  EXPECT_EQ(settings["retry_multiplier"], "1.5");
}

TEST(RelaySettings, SayWhereTheCertificateForClientsIsAndNoModeThatIsTheRelaysOwn) {
  auto relay = edge();
  relay.spec.tls_certificate = "smtp-tls";
  auto settings = Json::parse(relay_settings(relay));
  EXPECT_EQ(settings["tls_certificate_file"], "/etc/smtp-relay/refs/secret-smtp-tls/tls.crt");
  EXPECT_EQ(settings["tls_key_file"], "/etc/smtp-relay/refs/secret-smtp-tls/tls.key");
  EXPECT_FALSE(settings.contains("tls_mode"));
  relay.spec.tls_mode = "Required";
  settings = Json::parse(relay_settings(relay));
  EXPECT_EQ(settings["tls_mode"], "required");
}

TEST(RelaySettings, SayWhereTheUsersAre) {
  auto relay = edge();
  relay.spec.auth_users = api::KeyReference{api::KeyReference::Kind::secret, "smtp-users", "people"};
  auto settings = Json::parse(relay_settings(relay));
  EXPECT_EQ(settings["auth_users_file"], "/etc/smtp-relay/refs/secret-smtp-users/people");
  EXPECT_FALSE(settings.contains("auth_requires_tls")) << "it is the relay's own";
  relay.spec.auth_requires_tls = false;
  EXPECT_EQ(Json::parse(relay_settings(relay))["auth_requires_tls"], "off");
}

TEST(RelaySettings, GiveListenersTheirPortsInThePod) {
  auto relay = edge();
  relay.spec.listeners = {
    {"submissions", 465, "Implicit", "Required", {"192.0.2.0/24"}, false}, {"other", 587}
  };
  const auto listeners = Json::parse(relay_settings(relay))["listeners"];
  EXPECT_EQ(
    listeners[0], (Json{
                    {"name", "submissions"},
                    {"listen", {"0.0.0.0:2526"}},
                    {"tls", "implicit"},
                    {"auth", "required"},
                    {"allowed_networks", {"192.0.2.0/24"}},
                    {"proxy_protocol", "off"},
                  })
  );
  EXPECT_EQ(listeners[1]["listen"], Json::array({"0.0.0.0:2527"}));
  EXPECT_FALSE(listeners[1].contains("allowed_networks"));
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

/// What is not said must be what the relay takes for it.
TEST(RelaySettings, HaveTheRelaysOwnDefaultsWhereTheyAreSilent) {
  const api::Spec spec;
  const std::map<std::string, std::string> silent{
    {"max_connections_per_client", std::to_string(spec.max_connections_per_client)},
    {"retry_multiplier", spec.retry_multiplier},
    {"health_fail_on", ""},
    {"flush_timeout", spec.flush_timeout},
    {"log_level", spec.log_level},
    {"tls_mode", relay::lower(spec.tls_mode)},
    {"tls_certificate_file", spec.tls_certificate},
    {"tls_key_file", spec.tls_certificate},
    {"tls_min_version", spec.tls_min_version},
    {"policies", ""},
    {"listeners", ""},
    {"sender_bindings", ""},
    {"milters", ""},
    {"auth_users_file", ""},
    {"auth_requires_tls", spec.auth_requires_tls ? "on" : "off"},
  };
  for (const auto& [key, value] : silent) {
    const auto* setting = relay::config::find_setting(key);
    ASSERT_NE(setting, nullptr) << key;
    EXPECT_EQ(setting->default_value, value) << key;
  }
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
       {"listen", "listeners", "passwd_client", "dkim", "mx_ca", "dns_trust_anchors", "log_redaction_key",
        "tls_certificate_file", "tls_key_file", "auth_users_file"})
    EXPECT_TRUE(is_fixed_by_the_pod(key)) << key;
  for (const auto* key : {"smarthosts", "max_message_size", "tls_mode", "unknown"})
    EXPECT_FALSE(is_fixed_by_the_pod(key)) << key;
}

}  // namespace
}  // namespace op::resources
