#include "operator/resources/optional.hpp"

namespace op::resources {
namespace {

Wish wish(const std::string& text) {
  if (text == "Never") return Wish::no;
  return text == "Always" ? Wish::yes : Wish::if_possible;
}

}  // namespace

Wish wish_for(Optional child, const api::Spec& spec) {
  switch (child) {
    case Optional::pod_monitor: return wish(spec.pod_monitor);
    case Optional::prometheus_rule: return wish(spec.rules);
    // The operator's chart has one of all relays; a thousand more would not help anybody.
    case Optional::dashboard: return spec.dashboard == "Always" ? Wish::yes : Wish::no;
    case Optional::network_policy: return spec.network_policy == "Managed" ? Wish::yes : Wish::no;
    // As far as the resource is concerned: whether there is one to make is for who knows the nodes to say.
    case Optional::node_list: return Wish::yes;
  }
  return Wish::no;
}

std::string_view field_of(Optional child) {
  switch (child) {
    case Optional::pod_monitor: return "spec.metrics.podMonitor";
    case Optional::prometheus_rule: return "spec.metrics.rules";
    case Optional::dashboard: return "spec.metrics.dashboard";
    case Optional::network_policy: return "spec.networkPolicy";
    case Optional::node_list: return "list of nodes";
  }
  return "";
}

std::string name_of(Optional child, const api::SmtpRelay& relay) {
  if (child == Optional::dashboard) return child_name(relay) + "-dashboard";
  return child_name(relay) + (child == Optional::node_list ? "-nodes" : "");
}

}  // namespace op::resources
