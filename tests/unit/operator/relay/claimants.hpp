#pragma once
/// Nodes, and SmtpRelays that want their ports.

#include "operator/relay/port_claims.hpp"

namespace op::smtp_relay {

inline std::shared_ptr<const Node> a_node(
  const std::string& name, std::map<std::string, std::string> labels = {}, std::vector<Taint> taints = {}
) {
  return std::make_shared<const Node>(Node{name, std::move(labels), std::move(taints), false, {}});
}

/// node1, node2 and so on, as many as that.
inline Nodes some_nodes(int count) {
  Nodes nodes;
  nodes.is_listed = true;
  for (int number = 1; number <= count; ++number) {
    const auto name = "node" + std::to_string(number);
    nodes.by_name[name] = a_node(name);
  }
  return nodes;
}

inline HostPort tcp(std::int64_t number, const std::string& address = "0.0.0.0") {
  return {"TCP", address, number};
}

/// On these nodes; none: on all.
inline Stake stake_in(std::vector<HostPort> ports, const std::vector<std::string>& nodes = {}) {
  Stake stake{{}, std::move(ports)};
  if (nodes.empty()) return stake;
  stake.placement.terms.emplace();
  for (const auto& node : nodes) stake.placement.terms->push_back({{}, {{"metadata.name", "In", {node}}}});
  return stake;
}

/// One that wants ports and has nothing yet.
inline Claimant wants(
  Stake stake, const std::string& uid, const std::string& created = "2026-01-01T00:00:00Z"
) {
  Claimant claimant;
  claimant.uid = uid;
  claimant.created = created;
  claimant.wanted = std::move(stake);
  return claimant;
}

/// Its DaemonSet has been applied, as it is wanted but without these nodes.
inline void applied(Claimant& claimant, const std::set<std::string>& without = {}) {
  auto stake = *claimant.wanted;
  if (!without.empty()) {
    if (!stake.placement.terms) stake.placement.terms.emplace(1);
    for (auto& term : *stake.placement.terms) {
      for (const auto& node : without) term.fields.push_back({"metadata.name", "NotIn", {node}});
    }
  }
  claimant.held = {claimant.uid, "d-" + claimant.uid, std::move(stake)};
}

/// A pod of its DaemonSet is bound to this node.
inline void runs_on(Claimant& claimant, const std::string& node) {
  claimant.pods[node][claimant.uid + "-" + node] = "d-" + claimant.uid;
}

inline Contenders everyone(const Claimants& claimants) {
  Contenders all;
  for (const auto& entry : claimants) all.push_back(&entry);
  return all;
}

}  // namespace op::smtp_relay
