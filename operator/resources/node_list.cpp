#include "operator/resources/node_list.hpp"

#include "operator/resources/optional.hpp"

namespace op::resources {
namespace {

/// Read by the relay's group alone, as all that is mounted.
constexpr int kMode = 0440;

}  // namespace

Json node_list(const api::SmtpRelay& relay, const std::string& list) {
  auto described = metadata(relay);
  described["name"] = name_of(Optional::node_list, relay);
  return {
    {"apiVersion", "v1"},
    {"kind", "ConfigMap"},
    {"metadata", std::move(described)},
    {"data", {{std::string(kNodeListFile), list}}},
  };
}

bool is_node_list(const std::string& name) { return name.ends_with("-smtp-relay-nodes"); }

Json node_list_volume(const api::SmtpRelay& relay) {
  return {
    {"name", kNodeListVolume},
    {"configMap",
     {{"name", name_of(Optional::node_list, relay)},
      {"items", Json::array({{{"key", kNodeListFile}, {"path", kNodeListFile}, {"mode", kMode}}})},
      {"defaultMode", kMode},
      {"optional", true}}},
  };
}

}  // namespace op::resources
