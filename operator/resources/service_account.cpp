#include "operator/resources/service_account.hpp"

namespace op::resources {

bool wants_service_account(const api::SmtpRelay& relay) {
  return service_account_name(relay) == child_name(relay);
}

std::string service_account_name(const api::SmtpRelay& relay) {
  const auto& named = relay.spec.service_account_name;
  return named.empty() ? child_name(relay) : named;
}

Json service_account(const api::SmtpRelay& relay) {
  return {
    {"apiVersion", "v1"},
    {"kind", "ServiceAccount"},
    {"metadata", metadata(relay)},
    {"automountServiceAccountToken", false},
  };
}

}  // namespace op::resources
