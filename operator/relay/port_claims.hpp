#pragma once
/// Which SmtpRelay gets a port of a node that several want. Two pods that want one can't run on one node.

#include <map>
#include <string>
#include <vector>

#include "operator/relay/placement.hpp"
#include "operator/resources/placing.hpp"

namespace op::smtp_relay {

using kube::Key;

/// A port of a node.
struct HostPort {
  std::string protocol;  ///< TCP, UDP, SCTP
  std::string address;   ///< 0.0.0.0: all of the node's
  std::int64_t number = 0;
  friend bool operator==(const HostPort&, const HostPort&) = default;
};
/// As the scheduler judges it: different addresses do not clash, unless one of them is 0.0.0.0.
[[nodiscard]] bool clash(const HostPort& one, const HostPort& other);

/// Ports, on the nodes of a placement.
struct Stake {
  Placement placement;
  std::vector<HostPort> ports;
  friend bool operator==(const Stake&, const Stake&) = default;
};
[[nodiscard]] bool clash(const Stake& one, const Stake& other);
/// Of the spec of a pod. Pure.
[[nodiscard]] Stake parse_stake(const kube::Json& pod);

/// What one SmtpRelay wants and has.
struct Claim {
  std::string uid;      ///< the SmtpRelay's; empty: there is none
  std::string created;  ///< when, RFC 3339 in UTC, whole seconds
  std::string controller_id;
  std::optional<Stake> wanted;  ///< what its spec asks for
  bool is_idle = false;         ///< nothing is applied: it is paused, or a condition says what is wrong
  struct Held {
    std::string owner;       ///< uid of the SmtpRelay that the DaemonSet was made for
    std::string daemon_set;  ///< uid
    Stake stake;
    friend bool operator==(const Held&, const Held&) = default;
  };
  std::optional<Held> held;  ///< what its DaemonSet has, as last applied
  /// That, null where there is none: what a DaemonSet of a former SmtpRelay of that name has is about to go.
  [[nodiscard]] const Stake* holding() const {
    return held && !uid.empty() && held->owner == uid ? &held->stake : nullptr;
  }
  friend bool operator==(const Claim&, const Claim&) = default;
};
/// Calls with each stake of a claim.
template <typename Call>
void for_each_stake(const Claim& claim, const Call& call) {
  if (claim.wanted) call(*claim.wanted);
  if (const auto* holding = claim.holding()) call(*holding);
}

/// And where its pods are.
struct Claimant : Claim {
  /// Node to which they are bound -> name of the pod -> uid of the DaemonSet that owns it.
  std::map<std::string, std::map<std::string, std::string>> pods;
  /// A pod of the DaemonSet that it has now is bound to this node.
  [[nodiscard]] bool has_pod(const std::string& node) const;
};
using Claimants = std::map<Key, Claimant>;
/// Some of them, in any order, each once.
using Contenders = std::vector<const Claimants::value_type*>;

/// A node that another has.
struct Loss {
  std::string node;
  Key rival;
  HostPort port;  ///< that both want: the first
  friend bool operator==(const Loss&, const Loss&) = default;
};

/// What becomes of a relay's wish for ports of nodes.
struct PortVerdict {
  bool wants = false;  ///< it asks for a port of its nodes at all
  /// That have its pods, or would if nobody was in the way; counted only where somebody may be.
  std::size_t nodes = 0;
  std::vector<Loss> lost;           ///< of those, by name
  std::set<std::string> to_be_had;  ///< of those that are left to others: it would get them
  friend bool operator==(const PortVerdict&, const PortVerdict&) = default;
};

/// Whether a stake of the claim is on this node, or stays there.
[[nodiscard]] bool selects(const Claim& claim, const Node& node);

/// On each node those who want clashing ports are served in this order, and who clashes with one that was served loses:
/// 1. whose DaemonSet has the port and a pod there;
/// 2. whose DaemonSet has the port there: its pod is being replaced, or was not made yet;
/// 3. whose spec asks for it;
/// each by creationTimestamp, then UID. What the DaemonSets say is the record of what was decided: who was left out of
/// one does not come back by a moment without a pod of the other. One that is idle takes nothing that it does not hold,
/// nor does one of another operator, of whose intents we know nothing.
///
/// @param contenders  those at least who reach the relay (PortIndex::around)
/// @param relay       one of them, or nothing is wanted
/// @param live        what its DaemonSet leaves to others now
/// Pure. O(nodes), and for each node of the relay O(contenders).
[[nodiscard]] PortVerdict judge(
  Contenders contenders, const Nodes& nodes, const Key& relay, const resources::Exclusions& live
);

/// Those whose verdict may change with this claim: they clash with it, on a node that both select.
/// @param contenders  those at least who share a port number with it (PortIndex::sharing)
/// @param on          of which nodes
/// @param relay       whose claim it is
/// Pure.
[[nodiscard]] std::set<Key> rivals(
  const Contenders& contenders, const std::vector<const Node*>& on, const Key& relay, const Claim& claim
);

/// Which nodes the DaemonSet must leave out by that. A change replaces all pods of the relay, so what is no longer needed
/// stays as long as nothing else changes: a node that is gone, or that would not take its pods now, may come back.
/// @param live  what it leaves out now
/// Pure.
[[nodiscard]] resources::Exclusions exclusions_by(
  const PortVerdict& verdict, const resources::Exclusions& live, const Nodes& nodes
);

}  // namespace op::smtp_relay
