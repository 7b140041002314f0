#include "operator/relay/rollout.hpp"

#include "operator/resources/names.hpp"

namespace op::smtp_relay {

Rollout rollout_of(const std::optional<Json>& daemon_set) {
  static const auto kSettings =
    Json::json_pointer("/spec/template/metadata/annotations") / std::string(resources::kSettingsAnnotation);
  if (!daemon_set) return {};
  const auto at = [&](const char* pointer) { return kube::number_at(*daemon_set, pointer); };
  return {
    true,
    at("/status/observedGeneration") >= at("/metadata/generation"),
    at("/status/desiredNumberScheduled"),
    at("/status/updatedNumberScheduled"),
    at("/status/numberReady"),
    at("/status/numberAvailable"),
    at("/status/numberMisscheduled"),
    at("/metadata/generation"),
    at("/status/currentNumberScheduled"),
    daemon_set->value(kSettings, ""),
  };
}

std::string of_nodes(std::int64_t count, std::int64_t total) {
  return std::to_string(count) + " of " + std::to_string(total) + (total == 1 ? " node" : " nodes");
}

}  // namespace op::smtp_relay
