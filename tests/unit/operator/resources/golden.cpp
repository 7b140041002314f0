/// What the builders make of whole resources, compared with tests/golden.

#include <cstdlib>
#include <fstream>
#include <gmock/gmock.h>

#include "operator/resources/config_map.hpp"
#include "operator/resources/daemon_set.hpp"
#include "operator/resources/network_policy.hpp"
#include "operator/resources/optional.hpp"
#include "operator/resources/pod_monitor.hpp"
#include "operator/resources/pod_template.hpp"
#include "operator/resources/prometheus_rule.hpp"
#include "operator/resources/relay_settings.hpp"
#include "operator/resources/service.hpp"
#include "operator/resources/service_account.hpp"
#include "operator/resources/volumes.hpp"
#include "relay/config/load.hpp"
#include "tests/support/yaml.hpp"

namespace op::resources {
namespace {

std::string golden(const std::string& name, const std::string& kind) {
  return "tests/golden/" + name + "." + kind + ".yaml";
}

api::SmtpRelay resource(const std::string& name) {
  auto parsed = api::parse_smtp_relay(relay::test::read_yaml(golden(name, "smtprelay")));
  EXPECT_TRUE(parsed) << parsed.error().context;
  return *parsed;
}

/// The one ConfigMap with trust anchors, where a resource names one.
TrustAnchors anchors(const api::SmtpRelay& relay) {
  return relay.spec.delivery.trust_anchors.empty() ? TrustAnchors{} : TrustAnchors{"corp.ds", "lab.ds"};
}

/// With UPDATE_GOLDEN set, writes the file instead: look at the difference before committing it.
void expect_golden(const std::string& path, const Json& built) {
  const auto yaml = relay::test::json_to_yaml(built);
  if (std::getenv("UPDATE_GOLDEN") != nullptr) std::ofstream(path) << yaml;
  EXPECT_EQ(relay::test::read_text(path), yaml) << path;
  EXPECT_EQ(relay::test::read_yaml(path), built) << path << " does not read back as it was built";
}

class Golden : public ::testing::TestWithParam<std::string> {
 protected:
  void compare(const std::string& kind, const Json& built) { expect_golden(golden(GetParam(), kind), built); }
  /// Of a child that a resource may not want; built only if it does.
  template <class Build>
  void compare_if_wanted(Optional child, const std::string& kind, Build build) {
    if (wish_for(child, relay.spec) != Wish::no) compare(kind, build());
    else EXPECT_FALSE(std::ifstream(golden(GetParam(), kind)).is_open()) << "it has none";
  }
  const api::SmtpRelay relay = resource(GetParam());
};

TEST_P(Golden, ServiceAccount) {
  if (wants_service_account(relay)) compare("service-account", service_account(relay));
  else EXPECT_FALSE(std::ifstream(golden(GetParam(), "service-account")).is_open()) << "it has none";
}

TEST_P(Golden, Service) {
  if (wants_service(relay.spec)) compare("service", service(relay));
  else EXPECT_FALSE(std::ifstream(golden(GetParam(), "service")).is_open()) << "it has none";
}

TEST_P(Golden, ConfigMap) {
  const auto key = settings_key(relay.spec, anchors(relay));
  compare("config-map", config_map(relay, key, relay_settings(relay, anchors(relay))));
}

TEST_P(Golden, DaemonSet) {
  const auto image = relay.spec.image.empty() ? "ghcr.io/buildinglink/email/smtp:1" : relay.spec.image;
  const auto hash = relay.spec.env_from.empty() ? "" : "0123456789abcdef";
  const auto settings =
    relay::config::load({relay_settings(relay, anchors(relay)), "relay.json", {}}).settings;
  const auto drain_time = settings.lame_duck + settings.session_drain_timeout;
  compare(
    "daemon-set", daemon_set(
                    {relay,
                     image,
                     "/var/lib/smtp-relay",
                     hash,
                     drain_time,
                     anchors(relay),
                     host_name(relay.spec),
                     {},
                     settings.flush_timeout}
                  )
  );
}

TEST_P(Golden, PodMonitor) {
  compare_if_wanted(Optional::pod_monitor, "pod-monitor", [&] {
    return pod_monitor(relay, {{"release", "prometheus"}});
  });
}

TEST_P(Golden, NetworkPolicy) {
  compare_if_wanted(Optional::network_policy, "network-policy", [&] {
    const auto loaded = relay::config::load({relay_settings(relay, anchors(relay)), "relay.json", {}});
    return network_policy(relay, traffic_of(loaded.settings));
  });
}

TEST_P(Golden, SettingsAreAcceptedByTheRelay) {
  const auto loaded = relay::config::load({relay_settings(relay, anchors(relay)), "relay.json", {}});
  for (const auto& fault : loaded.faults) ADD_FAILURE() << fault.to_text();
}

/// Of a relay that leaves nodes to another.
Json daemon_set_without(const std::string& name, Exclusions exclusions) {
  const auto relay = resource(name);
  Blueprint blueprint{relay,         "ghcr.io/buildinglink/email/smtp:1", "/var/lib/smtp-relay", "", {},
                      anchors(relay)};
  blueprint.exclusions = std::move(exclusions);
  return daemon_set(blueprint);
}

TEST(GoldenExclusions, JoinTheAffinityOfTheResource) {
  expect_golden(
    golden("full-left-out", "daemon-set"), daemon_set_without("full", {false, {"node1", "node2"}})
  );
}

TEST(GoldenExclusions, MatchNoNodeWhereARelayRunsNowhere) {
  expect_golden(golden("minimal-nowhere", "daemon-set"), daemon_set_without("minimal", {true, {}}));
}

INSTANTIATE_TEST_SUITE_P(
  Resources, Golden, ::testing::Values("minimal", "full", "empty-dir", "mx", "claim"),
  [](const auto& each) { return each.param == "empty-dir" ? "emptyDir" : each.param; }
);

/// Long, and the same but for names: two tell enough.
class GoldenRules : public ::testing::TestWithParam<std::string> {};

TEST_P(GoldenRules, AreTheAlertsOfOneRelay) {
  expect_golden(golden(GetParam(), "prometheus-rule"), prometheus_rule(resource(GetParam()), Json::object()));
}

INSTANTIATE_TEST_SUITE_P(
  Resources, GoldenRules, ::testing::Values("minimal", "empty-dir"),
  [](const auto& each) { return each.param == "empty-dir" ? "emptyDir" : each.param; }
);

}  // namespace
}  // namespace op::resources
