#pragma once
/// `policies` of relay.json, by the fields of relay/config's table. What the resource does not say is left out. Null where
/// there are none: not written.

#include "operator/resources/outgoing_settings.hpp"

namespace op::resources {

[[nodiscard]] OrderedJson policies(const api::Spec& spec);
/// `sender_bindings`, in the same way.
[[nodiscard]] OrderedJson sender_bindings(const api::Spec& spec);

}  // namespace op::resources
