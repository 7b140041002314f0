#pragma once
/// The relay's metrics in Prometheus' text format, and docs/metrics.md, which is made from the same tables.

#include <string>

#include "relay/metrics/counters.hpp"

namespace relay::metrics {

/// @param depths   at most kMaxDestinations + 1
/// @param version  the program's, for `smtp_relay_build_info`
/// Thread: any.
[[nodiscard]] std::string exposition(
  const Registry& registry, const std::vector<Depth>& depths, const std::string& version
);

/// docs/metrics.md.
[[nodiscard]] std::string metrics_page();

}  // namespace relay::metrics
