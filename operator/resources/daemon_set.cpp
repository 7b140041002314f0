#include "operator/resources/daemon_set.hpp"

#include "operator/resources/pod_template.hpp"

namespace op::resources {

Json daemon_set(const Blueprint& blueprint) {
  const auto& spec = blueprint.relay.spec;
  Json object{
    {"apiVersion", "apps/v1"},
    {"kind", "DaemonSet"},
    {"metadata", metadata(blueprint.relay)},
    {"spec",
     {{"selector", {{"matchLabels", selector_labels(blueprint.relay)}}},
      {"template", pod_template(blueprint)},
      // No surge: two pods can't have one host port.
      {"updateStrategy",
       {{"type", "RollingUpdate"},
        {"rollingUpdate", {{"maxUnavailable", spec.max_unavailable}, {"maxSurge", 0}}}}},
      {"revisionHistoryLimit", 10}}},
  };
  // The server stores no 0.
  if (spec.min_ready_seconds > 0) object["spec"]["minReadySeconds"] = spec.min_ready_seconds;
  return object;
}

}  // namespace op::resources
