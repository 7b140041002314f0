#pragma once
/// How far the DaemonSet controller has come.

#include "operator/relay/world.hpp"

namespace op::smtp_relay {

/// The reason of Progressing when a rollout makes no progress.
inline constexpr std::string_view kStalled = "RolloutStalled";

struct Rollout {
  bool exists = false;
  bool is_observed = false;  ///< the counts are those of the present spec
  std::int64_t desired = 0;
  std::int64_t updated = 0;
  std::int64_t ready = 0;
  std::int64_t available = 0;
  std::int64_t misscheduled = 0;
  std::int64_t generation = 0;  ///< of the DaemonSet
  std::int64_t current = 0;     ///< nodes that should have a pod and have one
  std::string settings_key;     ///< which of the ConfigMap's settings pods of the present template read
  /// No pod of an older template is left.
  [[nodiscard]] bool has_replaced_all() const { return is_observed && updated >= desired; }
  [[nodiscard]] bool is_complete() const { return has_replaced_all() && available >= desired; }
  /// Pods that the DaemonSet controller should have made are not there.
  [[nodiscard]] bool lacks_pods() const { return is_observed && current < desired; }
};

/// @param daemon_set  none: nothing has begun
[[nodiscard]] Rollout rollout_of(const std::optional<Json>& daemon_set);

/// `2 of 3 nodes`
[[nodiscard]] std::string of_nodes(std::int64_t count, std::int64_t total);

}  // namespace op::smtp_relay
