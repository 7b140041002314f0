#pragma once

#include "operator/relay/world.hpp"

namespace op::smtp_relay {

/// What is worth remembering of a Secret or ConfigMap, as the API server gave it.
[[nodiscard]] Referenced digest(api::KeyReference::Kind kind, const Json& object);

/// True when `pem` holds at least one X.509 certificate, and nothing in it that begins like one is broken.
[[nodiscard]] bool holds_certificates(const std::string& pem);

}  // namespace op::smtp_relay
