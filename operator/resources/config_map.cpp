#include "operator/resources/config_map.hpp"

#include "operator/resources/volumes.hpp"

namespace op::resources {

Json config_map(const api::SmtpRelay& relay, const std::string& settings, Json former) {
  former[settings_key(relay.spec)] = settings;
  return {
    {"apiVersion", "v1"},
    {"kind", "ConfigMap"},
    {"metadata", metadata(relay)},
    {"data", std::move(former)},
  };
}

}  // namespace op::resources
