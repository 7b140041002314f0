#pragma once
/// The relay's mode where people and programs look: a relay that keeps mail in is not to be forgotten.

#include <string_view>

#include "relay/base/log.hpp"
#include "relay/metrics/counters.hpp"
#include "relay/policy/guard.hpp"

namespace relay::app {

/// 1 for this mode, 0 for the others; where it is another one than before, a record too.
void publish_mode(metrics::Registry& metrics, log::Sink& log, policy::Mode mode);
/// The one that was published last, in a word; `deliver` before that. Thread: any.
[[nodiscard]] std::string_view mode_in(const metrics::Registry& metrics);

}  // namespace relay::app
