#pragma once
/// What is to be done about children without which mail flows all the same: their troubles are told, and hold nothing
/// else back.

#include "operator/relay/plan.hpp"
#include "relay/config/settings.hpp"

namespace op::smtp_relay {

/// The kind of such a child.
[[nodiscard]] const kube::Resource& resource_of(resources::Optional child);

/// Whether one is wanted: of the list of nodes the resource alone does not say. @param image  of the relay, as it is wanted
[[nodiscard]] resources::Wish wish_of(
  resources::Optional child, const World& world, const std::string& image
);

/// `spec.metrics.rules: <why>`: what is told of a child that can't be made.
[[nodiscard]] std::string complaint(resources::Optional child, const std::string& why);
/// Of one that the operator has no right to.
[[nodiscard]] std::string forbidden_complaint(resources::Optional child, const std::string& why);

/// Pure. For a world in which nothing else is wrong. @param effective  what the relay will make of its settings
[[nodiscard]] OptionalPlan plan_optional(
  const World& world, const Defaults& defaults, const relay::config::Settings& effective
);

}  // namespace op::smtp_relay
