#include "operator/relay/node_addresses.hpp"

#include <algorithm>
#include <gmock/gmock.h>

#include "operator/relay/nodes.hpp"

namespace op::smtp_relay {
namespace {

using kube::Json;
using ::testing::ElementsAre;

std::vector<std::string> texts(const relay::Networks& networks) {
  std::vector<std::string> all;
  for (const auto& network : networks) all.push_back(network.to_text());
  return all;
}

Json node(const std::string& address, const std::string& pods) {
  return {
    {"spec", {{"podCIDR", pods}, {"podCIDRs", Json::array({pods})}}},
    {"status",
     {{"addresses",
       Json::array(
         {{{"type", "InternalIP"}, {"address", address}}, {{"type", "Hostname"}, {"address", "node-1"}}}
       )}}},
  };
}

/// A cluster of two.
Nodes two() {
  Nodes nodes;
  nodes.is_listed = true;
  for (const auto& [name, address, pods] :
       {std::tuple("node-1", "10.1.40.11", "10.140.1.0/24"),
        std::tuple("node-2", "10.1.40.12", "10.140.2.0/24")}) {
    Node made;
    made.name = name;
    made.addresses = parse_node_addresses(node(address, pods));
    nodes.by_name.emplace(name, std::make_shared<const Node>(std::move(made)));
  }
  return nodes;
}

TEST(NodeAddresses, AreThoseOfItsStatusAndTheFirstTwoOfEachNetworkOfItsPods) {
  auto json = node("10.1.40.11", "10.140.1.0/24");
  json["spec"]["podCIDRs"].push_back("fd00:1::/64");
  json["status"]["addresses"].push_back({{"type", "ExternalIP"}, {"address", "192.0.2.11"}});
  json["status"]["addresses"].push_back({{"type", "InternalIP"}, {"address", "fd00::11"}});
  json["status"]["addresses"].push_back({{"type", "Hostname"}, {"address", "10.1.40.11"}});
  const auto found = parse_node_addresses(json);
  EXPECT_THAT(texts(found.own), ElementsAre("10.1.40.11/32", "192.0.2.11/32", "fd00::11/128"));
  EXPECT_THAT(texts(found.gateways), ElementsAre("10.140.1.0/31", "fd00:1::/127"));
}

TEST(NodeAddresses, HaveThoseOfTunnelsThatNetworkPluginsNote) {
  const auto found = parse_node_addresses(
    {{"metadata",
      {{"annotations",
        {{"projectcalico.org/IPv4Address", "10.1.40.11/24"},
         {"projectcalico.org/IPv4VXLANTunnelAddr", "10.140.1.64"},
         {"example.net/other", "192.0.2.1"}}}}}}
  );
  EXPECT_THAT(texts(found.own), ElementsAre("10.1.40.11/32", "10.140.1.64/32"));
}

TEST(NodeAddresses, OfAnyOtherFormAreReadAsFarAsTheyGo) {
  EXPECT_EQ(parse_node_addresses(Json::array()), NodeAddresses{});
  EXPECT_EQ(parse_node_addresses(Json::object()), NodeAddresses{});
  const auto found = parse_node_addresses(
    {{"metadata", {{"annotations", {{"flannel.alpha.coreos.com/public-ip", 1}}}}},
     {"spec", {{"podCIDR", "10.140.1.9/24"}, {"podCIDRs", Json::array({1, "10.140.3.7/32"})}}},
     {"status", {{"addresses", Json::array({1, {{"address", "node-1"}}, {{"address", "10.1.40.13"}}})}}}}
  );
  EXPECT_THAT(texts(found.own), ElementsAre("10.1.40.13/32"));
  EXPECT_THAT(texts(found.gateways), ElementsAre("10.140.3.7/32"))
    << "a network of one address has no second";
}

TEST(NodeAddresses, OfAllNodesAreOneListInAnOrderOfItsOwn) {
  EXPECT_EQ(hidden_sources_of(two()), "10.1.40.11\n10.1.40.12\n10.140.1.0/31\n10.140.2.0/31\n");
  EXPECT_EQ(hidden_sources_of(Nodes{}), "");
}

TEST(NodeAddresses, TellWhoseTheyAre) {
  const auto nodes = two();
  const auto owner = [&](const char* text) { return whose(nodes, *relay::IpAddress::parse(text)); };
  EXPECT_EQ(owner("10.1.40.12"), "node-2");
  EXPECT_EQ(owner("10.140.1.1"), "gateway of node-1's pods");
  EXPECT_EQ(owner("10.140.1.2"), "");
}

TEST(NodeAddresses, OfManyNodesFitIntoAConfigMap) {
  Nodes nodes;
  for (unsigned i = 0; i < 5000; ++i) {
    const auto high = std::to_string(i / 250);
    const auto low = std::to_string(i % 250);
    auto json = node("10.200." + high + "." + low, "10." + high + "." + low + ".0/24");
    json["status"]["addresses"].push_back({{"address", "2001:db8:1234:5678:9abc:def0:" + high + ":" + low}});
    json["spec"]["podCIDRs"].push_back("2001:db8:1234:" + high + ":" + low + "::/80");
    Node made;
    made.addresses = parse_node_addresses(json);
    nodes.by_name.emplace(std::to_string(i), std::make_shared<const Node>(std::move(made)));
  }
  const auto list = hidden_sources_of(nodes);
  EXPECT_EQ(std::count(list.begin(), list.end(), '\n'), 20000);
  EXPECT_LT(list.size(), 900U << 10U);
}

}  // namespace
}  // namespace op::smtp_relay
