#include "operator/resources/config_map.hpp"

namespace op::resources {

Json config_map(
  const api::SmtpRelay& relay, const std::string& key, const std::string& settings, Json former
) {
  former[key] = settings;
  return {
    {"apiVersion", "v1"},
    {"kind", "ConfigMap"},
    {"metadata", metadata(relay)},
    {"data", std::move(former)},
  };
}

}  // namespace op::resources
