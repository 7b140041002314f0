#include "operator/relay/source_preserved.hpp"

#include "operator/relay/node_list.hpp"
#include "operator/relay/nodes.hpp"
#include "operator/relay/wording.hpp"

namespace op::smtp_relay {
namespace {

/// As many as people read.
constexpr std::size_t kMostNodes = 10;
constexpr std::size_t kMostSources = 5;

constexpr std::string_view kRemedy =
  "; their mail is refused, so that nobody behind these addresses can relay: undo what translates addresses "
  "(network plugin, "
  "kube-proxy, a load balancer with SNAT), let the load balancer send the PROXY protocol "
  "(network.proxyProtocol.trustedNetworks), or list an address alone (/32, /128) in access.allowedNetworks "
  "if everybody "
  "behind it may relay";

std::string described(const relay::IpAddress& address, const Nodes& nodes) {
  const auto owner = whose(nodes, address);
  return address.to_text() + (owner.empty() ? "" : " (" + owner + ")");
}

std::string where(const std::map<std::string, std::vector<std::string>>& hidden) {
  std::vector<std::string> nodes;
  for (const auto& [node, sources] : hidden)
    nodes.push_back("on " + node + " from " + listed(sources, kMostSources));
  return listed(nodes, kMostNodes);
}

}  // namespace

SourceSight source_sight_of(const World& world) {
  SourceSight sight;
  sight.can_see_nodes = world.nodes->unreadable.empty();
  sight.has_node_list = has_node_list(world);
  sight.is_asked = !world.source_reports.empty();
  for (const auto& report : world.source_reports) {
    if (!report.is_known) continue;
    sight.has_answer = true;
    sight.has_seen_own_addresses = sight.has_seen_own_addresses || report.has_seen_own_addresses;
    for (const auto& address : report.hidden)
      sight.hidden[report.node].push_back(described(address, *world.nodes));
  }
  return sight;
}

SourceVerdict source_address_preserved(const SourceSight& sight) {
  if (!sight.hidden.empty())
    return {
      "False", kClientsHidden,
      "the network hides clients: they come " + where(sight.hidden) + std::string(kRemedy)
    };
  if (!sight.can_see_nodes)
    return {
      "Unknown", "Forbidden",
      "the operator may not see nodes, so relays know the addresses of their own node alone, and a client "
      "that another one "
      "hides may pass for that node: grant list and watch on nodes (chart: rbac.nodes)"
    };
  if (!sight.has_answer)
    return {"Unknown", "Pending", "no relay has said yet with which addresses its clients come"};
  const std::string rest = sight.has_node_list
                             ? ""
                             : "; pods that were made by a former operator know the addresses of their own "
                               "node alone, until another image is rolled "
                               "out";
  if (!sight.has_seen_own_addresses)
    return {"Unknown", "NoClients", "no client has come from another address than loopback lately" + rest};
  return {"True", "Preserved", "clients come with addresses of their own, and none was hidden lately" + rest};
}

}  // namespace op::smtp_relay
