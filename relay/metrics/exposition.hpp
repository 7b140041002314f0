#pragma once
/// The relay's metrics in Prometheus' text format, and the table that docs/metrics.md is made from.

#include <string>

#include "relay/metrics/counters.hpp"

namespace relay::metrics {

/// @param version  the program's, for `smtp_relay_build_info`
/// Thread: any.
[[nodiscard]] std::string exposition(const Registry& registry, const std::string& version);

/// docs/metrics.md's table of series: names, labels, kinds and what they mean.
[[nodiscard]] std::string metrics_table();

}  // namespace relay::metrics
