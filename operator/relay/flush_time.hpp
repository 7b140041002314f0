#pragma once
/// Whether pods get time for the flush: what an upgrade of the operator leaves as it is.

#include <chrono>
#include <optional>
#include <string>

#include "operator/relay/world.hpp"
#include "relay/config/settings.hpp"

namespace op::smtp_relay {

/// The image of the relay in the spec of a pod or of its template; empty: it has none.
[[nodiscard]] std::string image_of_relay(const Json& pod);

/// How long the relay flushes when it stops, for its pod's grace period. Nothing where the DaemonSet was made by an
/// operator whose relays did not flush, and all that this one would change is that: its pods would be replaced for it
/// though their image knows nothing of a flush. Another image, another `flushTimeout` or other drain times end that.
///
/// @param effective  what the relay will make of its settings
/// @param image      of the relay, as it is wanted
[[nodiscard]] std::optional<std::chrono::milliseconds> flush_time(
  const World& world, const relay::config::Settings& effective, const std::string& image
);

}  // namespace op::smtp_relay
