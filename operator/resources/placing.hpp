#pragma once
/// Which nodes a relay's pods are made for.

#include <set>
#include <string>

#include "operator/api/smtp_relay.hpp"

namespace op::resources {

using api::Json;

/// Nodes that a relay leaves to another, though its resource selects them.
struct Exclusions {
  bool all = false;  ///< it runs nowhere, on nodes that are yet to come neither; `nodes` is empty then
  std::set<std::string> nodes;  ///< their names
  friend bool operator==(const Exclusions&, const Exclusions&) = default;
};

/// Puts nodeSelector, tolerations, affinity and classes into the spec of a pod. A name that is excluded stands in each
/// term of the required node affinity, which the DaemonSet controller heeds: it makes no pod for that node.
void place(const api::Spec& spec, const Exclusions& exclusions, Json& pod);

/// How many requirements place() adds.
[[nodiscard]] std::size_t requirements_of(const api::Spec& spec, const Exclusions& exclusions);

/// What place() was given, read back from what it made.
/// @param pod   spec of a pod; any
/// @param spec  as place() had it: what it says of names by itself is no exclusion
[[nodiscard]] Exclusions exclusions_in(const Json& pod, const api::Spec& spec);

}  // namespace op::resources
