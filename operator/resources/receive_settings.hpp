#pragma once
/// `milters` of relay.json, by the fields of relay/config's table. Null where there are none: not written.

#include "operator/resources/outgoing_settings.hpp"

namespace op::resources {

[[nodiscard]] OrderedJson milters(const api::Spec& spec);

}  // namespace op::resources
