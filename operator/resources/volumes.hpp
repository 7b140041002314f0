#pragma once

#include "operator/resources/names.hpp"

namespace op::resources {

/// Folders, never single files: kubelet renews only those while a pod runs.
[[nodiscard]] Json volumes(const Blueprint& blueprint);
[[nodiscard]] Json volume_mounts(const Blueprint& blueprint);
/// That of the spool alone. In a shared volume it is a folder for the relay and the node: the container must know
/// kNodeNameVariable.
[[nodiscard]] Json spool_mount(const Blueprint& blueprint);

/// Under which key of the ConfigMap the settings of pods with these credentials, keys and authorities are:
/// `relay-<hash>.json`, of the names of all that is mounted. Settings never reach a pod that has other mounts than those they were made for.
[[nodiscard]] std::string settings_key(const api::Spec& spec, const TrustAnchors& anchors);
/// Some pod's settings, whatever its mounts.
[[nodiscard]] bool is_settings_key(std::string_view key);

}  // namespace op::resources
