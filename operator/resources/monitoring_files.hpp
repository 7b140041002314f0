#pragma once
/// The relay's alerts and dashboard as the chart has them: one text for both (decision 0069). Built in by CMake.

#include <string_view>

namespace op::resources {

/// charts/smtp-relay-operator/files/alerts/relay.yaml
[[nodiscard]] std::string_view relay_alerts();
/// charts/smtp-relay-operator/files/dashboards/relay.json
[[nodiscard]] std::string_view relay_dashboard();

}  // namespace op::resources
