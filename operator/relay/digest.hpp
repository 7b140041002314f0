#pragma once

#include "operator/relay/world.hpp"

namespace op::smtp_relay {

/// What is worth remembering of a Secret or ConfigMap, as the API server gave it.
[[nodiscard]] Referenced digest(api::KeyReference::Kind kind, const Json& object);

}  // namespace op::smtp_relay
