#include "operator/relay/optional_caches.hpp"

namespace op::smtp_relay {

using resources::Optional;

runtime::Store* OptionalCaches::store_of(Optional child) {
  switch (child) {
    case Optional::pod_monitor: return &pod_monitors;
    case Optional::prometheus_rule: return &prometheus_rules;
    case Optional::dashboard:
    case Optional::node_list: return nullptr;
    case Optional::network_policy: return &network_policies;
  }
  return nullptr;
}

Presence OptionalCaches::presence_of(Optional child) const {
  const bool is_of_every_cluster =
    child == Optional::dashboard || child == Optional::network_policy || child == Optional::node_list;
  if (is_of_every_cluster) return Presence::served;
  const std::lock_guard lock(mutex_);
  const auto found = presences_.find(child);
  return found == presences_.end() ? Presence::unknown : found->second;
}

void OptionalCaches::set_presence(Optional child, Presence presence) {
  const std::lock_guard lock(mutex_);
  presences_[child] = presence;
}

std::string OptionalCaches::refusal_of(Optional child, const std::string& name_space) const {
  const std::lock_guard lock(mutex_);
  for (const auto& watched : {name_space, std::string()}) {
    const auto found = refusals_.find({child, watched});
    if (found != refusals_.end()) return found->second;
  }
  return {};
}

void OptionalCaches::set_refusal(Optional child, const std::string& name_space, const std::string& why) {
  const std::lock_guard lock(mutex_);
  if (why.empty()) refusals_.erase({child, name_space});
  else refusals_[{child, name_space}] = why;
}

void OptionalCaches::want(Optional child) {
  {
    const std::lock_guard lock(mutex_);
    if (!wanted_.insert(child).second) return;
  }
  wake_();
}

bool OptionalCaches::is_wanted(Optional child) const {
  const std::lock_guard lock(mutex_);
  return wanted_.contains(child);
}

}  // namespace op::smtp_relay
