#include "operator/resources/service_account.hpp"

namespace op::resources {

Json service_account(const api::SmtpRelay& relay) {
  return {
    {"apiVersion", "v1"},
    {"kind", "ServiceAccount"},
    {"metadata", metadata(relay)},
    {"automountServiceAccountToken", false},
  };
}

}  // namespace op::resources
