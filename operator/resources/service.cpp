#include "operator/resources/service.hpp"

namespace op::resources {

bool wants_service(const api::Spec& spec) { return spec.service_type != "None"; }

Json service(const api::SmtpRelay& relay) {
  const auto& spec = relay.spec;
  const Json port{
    {"name", kSmtpPortName}, {"port", spec.port}, {"protocol", "TCP"}, {"targetPort", kSmtpPortName}
  };
  return {
    {"apiVersion", "v1"},
    {"kind", "Service"},
    {"metadata", metadata(relay)},
    {"spec",
     {{"type", spec.service_type},
      {"selector", selector_labels(relay)},
      {"ports", Json::array({port})},
      {"internalTrafficPolicy", spec.service_internal_traffic},
      {"sessionAffinity", "None"}}},
  };
}

}  // namespace op::resources
