#pragma once
/// On which nodes the DaemonSet controller runs pods.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "operator/relay/nodes.hpp"

namespace op::smtp_relay {

/// What the spec of a pod says of nodes: nodeSelector, required node affinity and tolerations.
struct Placement {
  struct Requirement {
    std::string key;
    std::string comparison;  ///< In, NotIn, Exists, DoesNotExist, Gt, Lt
    std::vector<std::string> values;
    friend bool operator==(const Requirement&, const Requirement&) = default;
  };
  /// A node matches that meets all of it; one that demands nothing matches no node.
  struct Term {
    std::vector<Requirement> labels;
    std::vector<Requirement> fields;  ///< of which there is one, metadata.name
    friend bool operator==(const Term&, const Term&) = default;
  };
  struct Toleration {
    std::string key;         ///< empty: of any taint
    std::string comparison;  ///< Exists; else Equal
    std::string value;
    std::string effect;  ///< empty: any
    friend bool operator==(const Toleration&, const Toleration&) = default;
  };
  std::vector<std::pair<std::string, std::string>> node_selector;
  std::optional<std::vector<Term>> terms;  ///< one of them must match; none: any node does
  std::vector<Toleration> tolerations;     ///< those too that every DaemonSet's pod gets
  friend bool operator==(const Placement&, const Placement&) = default;
};

/// Of the spec of a pod. What has another form than the API gives it is left out. Pure.
[[nodiscard]] Placement parse_placement(const kube::Json& pod);

enum class Fit : std::uint8_t {
  none,   ///< no pod is made, and one that is there is deleted
  stays,  ///< no pod is made, and one that is there stays: a taint NoSchedule came behind it
  runs,   ///< a pod is made
};
/// As the DaemonSet controller judges it (nodeShouldRunDaemonPod); a cordoned node is as good as any other to it. Pure.
[[nodiscard]] Fit fit(const Placement& placement, const Node& node);

}  // namespace op::smtp_relay
