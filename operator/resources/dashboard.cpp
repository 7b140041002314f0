#include "operator/resources/dashboard.hpp"

#include "operator/resources/monitoring_files.hpp"
#include "operator/resources/optional.hpp"

namespace op::resources {
namespace {

/// In place of a variable that asks for one: nobody is shown it, nobody can change it.
Json constant(const std::string& name, const std::string& value) {
  return {
    {"name", name},
    {"type", "constant"},
    {"query", value},
    {"hide", 2},
    {"current", {{"text", value}, {"value", value}}},
  };
}

}  // namespace

Json dashboard(const api::SmtpRelay& relay) {
  static const Json kOfAllRelays = Json::parse(relay_dashboard());
  auto board = kOfAllRelays;
  const auto whole_name = relay.name_space + "/" + relay.name;
  board["title"] = "SMTP relay " + whole_name;
  board["uid"] = "smtp-relay-" + short_hash(whole_name);
  for (auto& variable : board["templating"]["list"]) {
    if (variable["name"] == "namespace") variable = constant("namespace", relay.name_space);
    if (variable["name"] == "relay") variable = constant("relay", relay.name);
  }
  auto described = metadata(relay);
  described["name"] = name_of(Optional::dashboard, relay);
  described["labels"][kDashboardLabel] = "1";
  // Neither name has a dot, and the sidecar puts the files of all namespaces into one folder.
  const auto file = "smtp-relay." + relay.name_space + "." + relay.name + ".json";
  return {
    {"apiVersion", "v1"},
    {"kind", "ConfigMap"},
    {"metadata", std::move(described)},
    {"data", {{file, board.dump()}}},
  };
}

}  // namespace op::resources
