#pragma once

#include "operator/resources/names.hpp"

namespace op::resources {

/// relay.json: the relay's settings as the resource wants them, by the keys of relay/config's table. What the resource
/// does not say is left to the relay's defaults. Ends with a line end.
[[nodiscard]] std::string relay_settings(const api::SmtpRelay& relay, const TrustAnchors& anchors = {});

/// The field of the resource that a relay's setting comes from (`spec.limits.maxMessageSize`), or nothing when it is
/// not the user's to choose.
[[nodiscard]] std::string_view field_of_setting(std::string_view key);

/// True for settings that ports, probes and mounts of the pod rely on, or that say where a mount is: nobody may choose others.
[[nodiscard]] bool is_fixed_by_the_pod(std::string_view key);

}  // namespace op::resources
