#include "operator/resources/daemon_set.hpp"

#include "operator/resources/pod_template.hpp"

namespace op::resources {
namespace {

/// Two probes of a load balancer that asks every five seconds: the next pod goes when this one takes mail again.
constexpr int kMinReadySeconds = 10;

}  // namespace

Json daemon_set(const Blueprint& blueprint) {
  return {
    {"apiVersion", "apps/v1"},
    {"kind", "DaemonSet"},
    {"metadata", metadata(blueprint.relay)},
    {"spec",
     {{"selector", {{"matchLabels", selector_labels(blueprint.relay)}}},
      {"template", pod_template(blueprint)},
      // No surge: two pods can't have one host port.
      {"updateStrategy",
       {{"type", "RollingUpdate"}, {"rollingUpdate", {{"maxUnavailable", 1}, {"maxSurge", 0}}}}},
      {"minReadySeconds", kMinReadySeconds},
      {"revisionHistoryLimit", 10}}},
  };
}

}  // namespace op::resources
