#pragma once
/// What a relay makes of the ports of nodes that others have: which nodes it leaves out, and what the condition
/// PortAvailable says.

#include "operator/relay/trouble.hpp"
#include "operator/relay/world.hpp"
#include "operator/resources/placing.hpp"

namespace op::smtp_relay {

/// The reason of PortAvailable, and of Ready where it takes all nodes.
inline constexpr std::string_view kPortTaken = "PortTaken";
/// Requirements in the DaemonSet's affinity, one for each node and term: some 100 KB, which each of its revisions holds too.
inline constexpr std::size_t kMostExclusions = 1000;

/// What is known of the ports that a relay wants.
struct Ports {
  PortVerdict verdict;
  bool are_nodes_known = false;
  std::string unreadable;            ///< why we may not read nodes; empty: we may
  resources::Exclusions exclusions;  ///< what its DaemonSet must leave to others
  bool are_too_many = false;         ///< more than kMostExclusions: then nothing is applied
};
/// Pure.
[[nodiscard]] Ports ports_of(const World& world);

/// What the DaemonSet leaves to others as it is. Pure.
[[nodiscard]] resources::Exclusions live_exclusions(const World& world);

/// Status, reason and message of the condition.
struct PortAnswer {
  std::string_view status;
  std::string reason;
  std::string message;
};
/// @param troubles  of the relay's pods: a port may be in use by a pod that is no SmtpRelay's
/// Pure.
[[nodiscard]] PortAnswer port_available(
  const api::Spec& spec, const Ports& ports, const std::vector<Trouble>& troubles
);

}  // namespace op::smtp_relay
