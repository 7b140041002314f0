#pragma once

#include "operator/resources/names.hpp"

namespace op::resources {

/// One relay on every node that the resource selects.
[[nodiscard]] Json daemon_set(const Blueprint& blueprint);

}  // namespace op::resources
