#pragma once

#include "operator/resources/names.hpp"

namespace op::resources {

/// For the Prometheus operator: finds the relay's pods, and gives their series the labels that alerts and dashboards
/// group by (job, namespace, pod, node, relay). How often they are read is Prometheus' to say.
/// @param more_labels  what Prometheus selects PodMonitors by; ours win
[[nodiscard]] Json pod_monitor(const api::SmtpRelay& relay, const Json& more_labels);

}  // namespace op::resources
