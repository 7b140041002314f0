#pragma once

#include "operator/resources/names.hpp"

namespace op::resources {

/// A PromQL expression that asks of one relay what it asked of all: each series that is the relay's (`smtp_relay_*`, `up`) or
/// its DaemonSet's (`kube_daemonset_*`) is narrowed by labels.
[[nodiscard]] std::string narrowed(std::string_view expression, const api::SmtpRelay& relay);

/// The chart's alerts of relays, each about this one alone.
/// @param more_labels  what Prometheus selects rules by; ours win
[[nodiscard]] Json prometheus_rule(const api::SmtpRelay& relay, const Json& more_labels);

}  // namespace op::resources
