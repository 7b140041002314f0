#pragma once
/// What the pods of a relay will read, and make of it.

#include "operator/relay/world.hpp"
#include "relay/config/load.hpp"

namespace op::smtp_relay {

/// As what the file of settings goes in messages.
inline constexpr std::string_view kSettingsName = "relay.json";
inline constexpr std::string_view kVariablePrefix = "SMTP_RELAY_";

/// What is known of a reference; nothing when the world knows nothing.
[[nodiscard]] const Referenced& known(const World& world, const Reference& reference);

/// The keys of the ConfigMap with trust anchors.
[[nodiscard]] resources::TrustAnchors anchors_in(const World& world);

/// What the relay's container will see: envFrom in its order, then what the pod says about itself.
[[nodiscard]] std::map<std::string, std::string> environment_of(const World& world);

/// What the relay will make of its file and its environment.
[[nodiscard]] relay::config::Loaded effective_settings(const World& world);

}  // namespace op::smtp_relay
