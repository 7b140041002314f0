#include "operator/relay/node_addresses.hpp"

#include <algorithm>
#include <array>
#include <set>

#include "operator/relay/nodes.hpp"

namespace op::smtp_relay {
namespace {

using kube::Json;
using kube::text_at;
using relay::Cidr;
using relay::IpAddress;
using relay::Networks;

/// Where network plugins note addresses that a node has beside those in its status: with some, what comes from another node
/// by a tunnel has the tunnel's.
constexpr std::array<std::string_view, 11> kAnnotations{
  "flannel.alpha.coreos.com/public-ip",
  "network.cilium.io/ipv4-cilium-host",
  "network.cilium.io/ipv6-cilium-host",
  "projectcalico.org/IPv4Address",
  "projectcalico.org/IPv6Address",
  "projectcalico.org/IPv4IPIPTunnelAddr",
  "projectcalico.org/IPv4VXLANTunnelAddr",
  "projectcalico.org/IPv6VXLANTunnelAddr",
  "projectcalico.org/IPv4WireguardInterfaceAddr",
  "projectcalico.org/IPv6WireguardInterfaceAddr",
  "alpha.kubernetes.io/provided-node-ip",
};

/// The value at a pointer where it is of this type, else an empty one.
Json at(const Json& object, const char* pointer, Json::value_t type) {
  const Json::json_pointer place(pointer);
  if (!object.contains(place) || object.at(place).type() != type) return Json(type);
  return object.at(place);
}

/// Of an address, perhaps with a prefix behind it, as Calico writes those of an interface.
void add_address(std::string_view text, Networks& networks) {
  if (const auto address = IpAddress::parse(text.substr(0, text.find('/'))))
    networks.push_back(*Cidr::parse(address->to_text()));
}

void add_gateway(const std::string& text, Networks& networks) {
  const auto network = Cidr::parse(text);
  if (!network) return;
  const unsigned pair = network->address().bits() - 1;
  const auto length = std::max(pair, network->prefix());
  networks.push_back(*Cidr::parse(network->address().to_text() + "/" + std::to_string(length)));
}

void sort_out(Networks& networks) {
  const auto key = [](const Cidr& network) { return std::pair(network.address(), network.prefix()); };
  std::sort(networks.begin(), networks.end(), [&](const Cidr& one, const Cidr& other) {
    return key(one) < key(other);
  });
  networks.erase(std::unique(networks.begin(), networks.end()), networks.end());
}

}  // namespace

NodeAddresses parse_node_addresses(const Json& node) {
  NodeAddresses found;
  // Whatever their type: a name may be an address too.
  for (const auto& each : at(node, "/status/addresses", Json::value_t::array))
    add_address(text_at(each, "/address"), found.own);
  const auto annotations = at(node, "/metadata/annotations", Json::value_t::object);
  for (const auto name : kAnnotations) {
    const auto value = annotations.find(std::string(name));
    if (value != annotations.end() && value->is_string()) add_address(value->get<std::string>(), found.own);
  }
  add_gateway(text_at(node, "/spec/podCIDR"), found.gateways);
  for (const auto& each : at(node, "/spec/podCIDRs", Json::value_t::array))
    if (each.is_string()) add_gateway(each.get<std::string>(), found.gateways);
  sort_out(found.own);
  sort_out(found.gateways);
  return found;
}

std::string hidden_sources_of(const Nodes& nodes) {
  std::set<std::string> lines;
  for (const auto& [name, node] : nodes.by_name) {
    for (const auto& address : node->addresses.own) lines.insert(address.address().to_text());
    for (const auto& gateway : node->addresses.gateways) lines.insert(gateway.to_text());
  }
  std::string text;
  for (const auto& line : lines) text += line + "\n";
  return text;
}

std::string whose(const Nodes& nodes, const IpAddress& address) {
  for (const auto& [name, node] : nodes.by_name) {
    if (relay::contains(node->addresses.own, address)) return name;
    if (relay::contains(node->addresses.gateways, address)) return "gateway of " + name + "'s pods";
  }
  return {};
}

}  // namespace op::smtp_relay
