#pragma once
/// Addresses of a cluster that stand for several clients: those of its nodes, and of the gateways of their pods.

#include <string>

#include "operator/kube/object.hpp"
#include "relay/base/network.hpp"

namespace op::smtp_relay {

/// Of one node, sorted and each once.
struct NodeAddresses {
  relay::Networks
    own;  ///< single addresses: what its status says, and what network plugins note for their tunnels
  relay::Networks
    gateways;  ///< of each network of its pods the first two addresses (/31, /127), where plugins have theirs
  friend bool operator==(const NodeAddresses&, const NodeAddresses&) = default;
};

/// Of a Node of the API. A name that is no address, and whatever has another form than the API gives it, is left out. Pure.
[[nodiscard]] NodeAddresses parse_node_addresses(const kube::Json& node);

struct Nodes;
/// All of them, a line each, in an order of their own: what relays read as `hidden_sources_file`. A node takes two lines, four
/// with both families: 5,000 nodes, as many as a cluster may have, less than the 1 MiB of a ConfigMap. Pure.
[[nodiscard]] std::string hidden_sources_of(const Nodes& nodes);

/// Whose address it is: `node2`, `gateway of node2's pods`; empty: none of theirs. Pure.
[[nodiscard]] std::string whose(const Nodes& nodes, const relay::IpAddress& address);

}  // namespace op::smtp_relay
