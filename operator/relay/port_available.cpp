#include "operator/relay/port_available.hpp"

#include "operator/relay/wording.hpp"

namespace op::smtp_relay {
namespace {

/// As the scheduler's plugin NodePorts says it.
constexpr std::string_view kNoFreePort = "didn't have free ports";

/// As many as people read.
std::string few(const std::set<std::string>& names) {
  constexpr std::size_t kMost = 5;
  return listed({names.begin(), names.end()}, kMost);
}

std::string to_text(const HostPort& port) {
  const auto text = "port " + std::to_string(port.number);
  return port.address == "0.0.0.0" ? text : text + " at " + port.address;
}

/// `SmtpRelay mail/edge has port 25 of node1, node2`
std::string who_has_what(const std::vector<Loss>& lost) {
  std::map<std::string, std::set<std::string>> nodes;
  for (const auto& loss : lost)
    nodes["SmtpRelay " + loss.rival.to_text() + " has " + to_text(loss.port)].insert(loss.node);
  std::string text;
  for (const auto& [what, where] : nodes) text += (text.empty() ? "" : "; ") + what + " of " + few(where);
  return text;
}

/// Where a pod waits for a port that no SmtpRelay we know of has.
std::set<std::string> taken_by_others(const Ports& ports, const std::vector<Trouble>& troubles) {
  std::set<std::string> nodes;
  for (const auto& trouble : troubles) {
    const bool says_so = trouble.message.find(kNoFreePort) != std::string::npos;
    if (says_so && !trouble.node.empty()) nodes.insert(trouble.node);
  }
  for (const auto& loss : ports.verdict.lost) nodes.erase(loss.node);
  return nodes;
}

std::string what_is_lost(const Ports& ports) {
  const auto& verdict = ports.verdict;
  auto text = std::to_string(verdict.lost.size()) + " of " + counted(verdict.nodes, "node") +
              " left to others: " + who_has_what(verdict.lost) +
              "; give one of them another port, another hostIP or other nodes, or delete it";
  if (ports.are_too_many)
    text += "; nothing is applied, as more than " + std::to_string(kMostExclusions) +
            " nodes can't be left out by name: a nodeSelector can";
  return text;
}

std::string what_others_have(const std::set<std::string>& nodes) {
  return "a pod waits on " + counted(nodes.size(), "node") +
         " for a port that another pod has: " + few(nodes) +
         "; kubectl get pods -A --field-selector spec.nodeName=" + *nodes.begin() + " shows who may have it";
}

}  // namespace

resources::Exclusions live_exclusions(const World& world) {
  static const Json::json_pointer kPod("/spec/template/spec");
  if (!world.daemon_set || !world.daemon_set->contains(kPod)) return {};
  return resources::exclusions_in(world.daemon_set->at(kPod), world.relay.spec);
}

Ports ports_of(const World& world) {
  Ports ports{world.ports, world.nodes->are_known(), world.nodes->unreadable, {}};
  const auto live = live_exclusions(world);
  const bool wants = world.relay.spec.network_mode != "ClusterOnly";
  // Who knows nothing changes nothing.
  const bool is_judged = ports.are_nodes_known && ports.verdict.wants;
  if (wants) ports.exclusions = is_judged ? exclusions_by(ports.verdict, live, *world.nodes) : live;
  ports.are_too_many = resources::requirements_of(world.relay.spec, ports.exclusions) > kMostExclusions;
  return ports;
}

PortAnswer port_available(const api::Spec& spec, const Ports& ports, const std::vector<Trouble>& troubles) {
  if (spec.network_mode == "ClusterOnly")
    return {"True", "NotNeeded", "network.mode is ClusterOnly: no port of a node is used"};
  const bool has_lost = ports.are_nodes_known && !ports.verdict.lost.empty();
  const auto others = taken_by_others(ports, troubles);
  auto message = has_lost ? what_is_lost(ports) : "";
  if (!others.empty()) message += (message.empty() ? "" : "; ") + what_others_have(others);
  if (!message.empty()) return {"False", std::string(kPortTaken), std::move(message)};
  if (!ports.unreadable.empty())
    return {
      "Unknown", "Forbidden",
      "the operator may not read nodes: " + ports.unreadable +
        "; grant list and watch on nodes (the chart's rbac.nodes)"
    };
  if (!ports.are_nodes_known) return {"Unknown", "Pending", "the nodes have not been listed yet"};
  return {"True", "NoConflict", "no other SmtpRelay has its ports on its nodes"};
}

}  // namespace op::smtp_relay
