#include "operator/resources/pod_monitor.hpp"

namespace op::resources {
namespace {

Json relabeling(const char* source, const char* target) {
  return {{"action", "replace"}, {"sourceLabels", Json::array({source})}, {"targetLabel", target}};
}

}  // namespace

Json pod_monitor(const api::SmtpRelay& relay, const Json& more_labels) {
  const Json endpoint{
    {"port", kMetricsPortName},
    {"path", "/metrics"},
    {"relabelings", Json::array(
                      {relabeling("__meta_kubernetes_pod_node_name", "node"),
                       relabeling("__meta_kubernetes_pod_label_app_kubernetes_io_instance", "relay")}
                    )},
  };
  return {
    {"apiVersion", "monitoring.coreos.com/v1"},
    {"kind", "PodMonitor"},
    {"metadata", with_labels(metadata(relay), more_labels)},
    {"spec",
     {{"jobLabel", "app.kubernetes.io/name"},
      {"selector", {{"matchLabels", selector_labels(relay)}}},
      {"podMetricsEndpoints", Json::array({endpoint})}}},
  };
}

}  // namespace op::resources
