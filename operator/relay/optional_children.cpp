#include "operator/relay/optional_children.hpp"

#include "operator/relay/node_list.hpp"
#include "operator/relay/nodes.hpp"
#include "operator/resources/dashboard.hpp"
#include "operator/resources/network_policy.hpp"
#include "operator/resources/node_list.hpp"
#include "operator/resources/pod_monitor.hpp"
#include "operator/resources/prometheus_rule.hpp"

namespace op::smtp_relay {
namespace {

using resources::Optional;
using resources::Wish;

Child made_of(
  Optional child, const World& world, const Defaults& defaults, const relay::config::Settings& effective
) {
  const auto& relay = world.relay;
  switch (child) {
    case Optional::pod_monitor:
      return {kube::kPodMonitors, resources::pod_monitor(relay, defaults.pod_monitor_labels), {"spec"}};
    case Optional::prometheus_rule: {
      Child rule{kube::kPrometheusRules, resources::prometheus_rule(relay, defaults.rule_labels), {"spec"}};
      rule.is_digested = true;
      return rule;
    }
    case Optional::dashboard: {
      Child board{kube::kConfigMaps, resources::dashboard(relay), {"data", "binaryData"}};
      board.is_digested = true;
      return board;
    }
    case Optional::network_policy: {
      const auto traffic = resources::traffic_of(effective);
      return {kube::kNetworkPolicies, resources::network_policy(relay, traffic), {"spec"}};
    }
    case Optional::node_list: {
      Child list{
        kube::kConfigMaps, resources::node_list(relay, world.nodes->hidden_sources), {"data", "binaryData"}
      };
      list.is_digested = true;
      return list;
    }
  }
  return {};
}

std::string is_absent(Optional child) {
  const auto& resource = resource_of(child);
  return complaint(
    child, "it is Always, and the cluster has no kind " + std::string(resource.kind) + " (" +
             resource.api_version() + "); install it, or say Auto"
  );
}

}  // namespace

const kube::Resource& resource_of(Optional child) {
  switch (child) {
    case Optional::pod_monitor: return kube::kPodMonitors;
    case Optional::prometheus_rule: return kube::kPrometheusRules;
    case Optional::dashboard: return kube::kConfigMaps;
    case Optional::network_policy: return kube::kNetworkPolicies;
    case Optional::node_list: return kube::kConfigMaps;
  }
  return kube::kConfigMaps;
}

Wish wish_of(Optional child, const World& world, const std::string& image) {
  if (child == Optional::node_list && !wants_node_list(world, image)) return Wish::no;
  return resources::wish_for(child, world.relay.spec);
}

std::string complaint(Optional child, const std::string& why) {
  return std::string(resources::field_of(child)) + ": " + why;
}

std::string forbidden_complaint(Optional child, const std::string& why) {
  return complaint(child, why + "; see the operator's RBAC");
}

OptionalPlan plan_optional(
  const World& world, const Defaults& defaults, const relay::config::Settings& effective
) {
  OptionalPlan plan;
  const auto image = wanted_image(world.relay, defaults.relay_image);
  for (const auto child : resources::kOptionals) {
    const auto found = world.optional.find(child);
    if (found == world.optional.end()) continue;
    const auto& [presence, live, failure, look_in, is_watched] = found->second;
    const auto wish = wish_of(child, world, image);
    // What relays know of nodes they keep to.
    if (wish == Wish::no && child == Optional::node_list) continue;
    if (wish == Wish::no && !(live && is_removable(*live, world.relay))) continue;
    plan.look_within(look_in);
    if (presence == Presence::absent && wish == Wish::yes) plan.lost.push_back(is_absent(child));
    if (presence == Presence::forbidden && wish == Wish::yes)
      plan.lost.push_back(forbidden_complaint(child, failure));
    if (presence != Presence::served) continue;
    if (!failure.empty()) {
      plan.lost.push_back(complaint(child, failure));
      continue;
    }
    if (wish == Wish::no) {
      plan.remove.push_back({child, {resource_of(child), *live}});
      continue;
    }
    const auto name = resources::name_of(child, world.relay);
    if (const auto taken = conflict_of(resource_of(child).kind, name, live, world.relay)) {
      plan.lost.push_back(complaint(child, *taken));
      plan.conflicts.push_back({child, *taken});
      continue;
    }
    plan.apply.push_back({child, made_of(child, world, defaults, effective)});
  }
  return plan;
}

}  // namespace op::smtp_relay
