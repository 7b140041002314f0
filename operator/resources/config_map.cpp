#include "operator/resources/config_map.hpp"

namespace op::resources {

Json config_map(const api::SmtpRelay& relay, const std::string& settings) {
  return {
    {"apiVersion", "v1"},
    {"kind", "ConfigMap"},
    {"metadata", metadata(relay)},
    {"data", {{kConfigKey, settings}}},
  };
}

}  // namespace op::resources
