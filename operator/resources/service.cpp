#include "operator/resources/service.hpp"

namespace op::resources {
namespace {

Json port(const std::string& name, std::uint16_t number) {
  return {{"name", name}, {"port", number}, {"protocol", "TCP"}, {"targetPort", name}};
}

}  // namespace

bool wants_service(const api::Spec& spec) { return spec.service_type != "None"; }

Json service(const api::SmtpRelay& relay) {
  const auto& spec = relay.spec;
  auto ports = Json::array({port(std::string(kSmtpPortName), spec.port)});
  for (const auto& listener : spec.listeners) ports.push_back(port(port_name(listener), listener.port));
  return {
    {"apiVersion", "v1"},
    {"kind", "Service"},
    {"metadata", metadata(relay)},
    {"spec",
     {{"type", spec.service_type},
      {"selector", selector_labels(relay)},
      {"ports", std::move(ports)},
      {"internalTrafficPolicy", spec.service_internal_traffic},
      {"sessionAffinity", "None"}}},
  };
}

}  // namespace op::resources
