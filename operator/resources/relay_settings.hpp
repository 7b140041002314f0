#pragma once

#include <span>

#include "operator/resources/names.hpp"

namespace op::resources {

/// relay.json: the relay's settings as the resource wants them, by the keys of relay/config's table. What the resource
/// does not say is left to the relay's defaults. Ends with a line end.
[[nodiscard]] std::string relay_settings(const api::SmtpRelay& relay, const TrustAnchors& anchors = {});

/// The field of the resource that a relay's setting comes from (`spec.limits.maxMessageSize`), or nothing when it is
/// not the user's to choose.
[[nodiscard]] std::string_view field_of_setting(std::string_view key);

/// A setting of the relay that the resource has no field for.
struct LeftAlone {
  std::string_view key;
  std::string_view why;  ///< and what there is instead, if anything
};
/// With relay_settings() all that the relay has: a test fails when it gets another one. docs/operator.md has them too.
[[nodiscard]] std::span<const LeftAlone> settings_left_alone();

/// True for settings that ports, probes and mounts of the pod rely on, or that say where a mount is: nobody may choose others.
[[nodiscard]] bool is_fixed_by_the_pod(std::string_view key);

}  // namespace op::resources
