#pragma once
/// What a person and a dashboard learn of each attempt.

#include "relay/engine/settler.hpp"

namespace relay::engine {

/// One record a recipient, `delivery`, `deferral` or `failure`, and its counters. Thread: the counters'.
void log_outcome(
  const Context& context, metrics::Shard& counters, const Ended& ended, const Settlement& settlement
);

/// One record a report to the sender: `report`.
void log_reports(
  const Context& context, metrics::Shard& counters, const Attempt& attempt, const Reported& reported
);

}  // namespace relay::engine
