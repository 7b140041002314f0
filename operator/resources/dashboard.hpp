#pragma once

#include "operator/resources/names.hpp"

namespace op::resources {

/// By which the sidecar of Grafana's chart finds dashboards.
inline constexpr std::string_view kDashboardLabel = "grafana_dashboard";

/// A ConfigMap with the chart's dashboard of relays, as one of this relay alone: under a title, an id and a file's name that
/// no other dashboard of the Grafana has.
[[nodiscard]] Json dashboard(const api::SmtpRelay& relay);

}  // namespace op::resources
