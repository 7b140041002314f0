#include "operator/resources/network_policy.hpp"

#include <gmock/gmock.h>

#include "operator/resources/pod_template.hpp"

namespace op::resources {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;

class NetworkPolicyTest : public ::testing::Test {
 protected:
  NetworkPolicyTest() {
    relay.name = "edge";
    relay.name_space = "mail";
    settings.allowed_networks = {*relay::Cidr::parse("10.20.0.0/16"), *relay::Cidr::parse("2001:db8::/32")};
  }
  [[nodiscard]] Json spec() const { return network_policy(relay, traffic_of(settings))["spec"]; }
  [[nodiscard]] std::vector<int> tcp_ports_away() const {
    std::vector<int> found;
    const auto whole = spec();
    for (const auto& port : whole["egress"][0]["ports"]) {
      if (port["protocol"] == "TCP") found.push_back(port["port"]);
    }
    return found;
  }
  api::SmtpRelay relay;
  relay::config::Settings settings;
};

TEST_F(NetworkPolicyTest, SelectsThePodsOfItsRelayAndJudgesBothWays) {
  const auto made = spec();
  EXPECT_EQ(made["podSelector"]["matchLabels"], selector_labels(relay));
  EXPECT_EQ(made["policyTypes"], Json::array({"Ingress", "Egress"}));
}

TEST_F(NetworkPolicyTest, LetsMailInFromAllowedNetworksTrustedProxiesAndPods) {
  settings.proxy_trusted = {*relay::Cidr::parse("10.1.40.50")};
  const auto mail = spec()["ingress"][0];
  EXPECT_EQ(mail["ports"], Json::array({{{"protocol", "TCP"}, {"port", 2525}}}));
  ASSERT_EQ(mail["from"].size(), 4U);
  EXPECT_EQ(mail["from"][0]["ipBlock"]["cidr"], "10.20.0.0/16");
  EXPECT_EQ(mail["from"][1]["ipBlock"]["cidr"], "2001:db8::/32");
  EXPECT_EQ(mail["from"][2]["ipBlock"]["cidr"], "10.1.40.50/32");
  EXPECT_EQ(mail["from"][3], (Json{{"namespaceSelector", Json::object()}}))
    << "plugins hide pods from networks";
}

TEST_F(NetworkPolicyTest, LetsMailInAtEachListenerFromTheNetworksOfAllOfThem) {
  relay.spec.listeners = {{"submissions", 465}, {"other", 587}};
  settings.listeners.emplace_back().allowed_networks = {
    *relay::Cidr::parse("192.0.2.0/24"), *relay::Cidr::parse("10.20.0.0/16")
  };
  const auto mail = spec()["ingress"][0];
  std::vector<int> ports;
  for (const auto& port : mail["ports"]) ports.push_back(port["port"]);
  EXPECT_THAT(ports, ElementsAre(2525, 2526, 2527));
  ASSERT_EQ(mail["from"].size(), 4U) << "each network once";
  EXPECT_EQ(mail["from"][2]["ipBlock"]["cidr"], "192.0.2.0/24");
}

TEST_F(NetworkPolicyTest, LetsProbesAndMetricsInFromEverywhereAndNothingElse) {
  const auto made = spec();
  const auto questions = made["ingress"][1];
  EXPECT_FALSE(questions.contains("from"));
  std::set<int> open{2525};
  for (const auto& port : questions["ports"]) open.insert(port["port"].get<int>());
  std::set<int> named;
  const auto pod = pod_template({relay, "image:1", "/srv", ""})["spec"];
  for (const auto& port : pod["containers"][0]["ports"]) named.insert(port["containerPort"].get<int>());
  EXPECT_EQ(open, named) << "the ports of the pod";
  EXPECT_EQ(made["ingress"].size(), 2U);
}

TEST_F(NetworkPolicyTest, LetsOutNamesMailPoliciesAndTheSmarthostsPorts) {
  EXPECT_THAT(tcp_ports_away(), ElementsAre(53, 5353, 25, 443, 465, 587));
  for (const auto number : {53, 5353})
    EXPECT_THAT(
      spec()["egress"][0]["ports"].get<std::vector<Json>>(),
      Contains(Json{{"protocol", "UDP"}, {"port", number}})
    ) << "5353: of DNS pods behind port 53 of their Service";
  EXPECT_FALSE(spec()["egress"][0].contains("to")) << "MX records lead anywhere";
  settings.smarthosts.resize(2);
  settings.smarthosts[0].port = 2587;
  settings.smarthosts[1].port = 25;
  settings.smarthosts[1].token_url = "https://login.test:8443/token";
  EXPECT_THAT(tcp_ports_away(), ElementsAre(53, 5353, 25, 443, 465, 587, 2587, 8443));
}

TEST_F(NetworkPolicyTest, LetsOutToTheSingleSmarthostOfTheEnvironment) {
  settings.smarthost = {{"smtp.test", 1025}};
  EXPECT_THAT(tcp_ports_away(), Contains(1025));
}

TEST_F(NetworkPolicyTest, NeedsNoPortMoreForATokenByTheUsualOne) {
  settings.smarthosts.resize(1);
  settings.smarthosts[0].port = 587;
  for (const auto* url :
       {"https://login.test/token", "https://login.test/a:b", "https://[2001:db8::1]/x", ""}) {
    settings.smarthosts[0].token_url = url;
    EXPECT_THAT(tcp_ports_away(), ElementsAre(53, 5353, 25, 443, 465, 587)) << url;
  }
}

}  // namespace
}  // namespace op::resources
