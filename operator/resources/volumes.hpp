#pragma once

#include "operator/resources/names.hpp"

namespace op::resources {

/// Folders, never single files: kubelet renews only those while a pod runs.
[[nodiscard]] Json volumes(const Blueprint& blueprint);
[[nodiscard]] Json volume_mounts(const api::Spec& spec);

}  // namespace op::resources
