#pragma once
/// Children without which mail flows all the same: which there are, and whether a resource wants them.

#include <array>

#include "operator/resources/names.hpp"

namespace op::resources {

enum class Optional : std::uint8_t { pod_monitor, prometheus_rule, dashboard, network_policy, node_list };
inline constexpr std::array kOptionals{
  Optional::pod_monitor, Optional::prometheus_rule, Optional::dashboard, Optional::network_policy,
  Optional::node_list
};

enum class Wish : std::uint8_t {
  no,           ///< there must be none
  if_possible,  ///< where the cluster has the kind
  yes,          ///< and it is a fault where it has not
};
[[nodiscard]] Wish wish_for(Optional child, const api::Spec& spec);
/// The field that says so, for messages: `spec.metrics.podMonitor`; for the list of nodes, which no field asks for, what it is.
[[nodiscard]] std::string_view field_of(Optional child);
/// child_name(), but for the dashboard and the list of nodes: the settings have that name among ConfigMaps.
[[nodiscard]] std::string name_of(Optional child, const api::SmtpRelay& relay);

}  // namespace op::resources
