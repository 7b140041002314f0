#pragma once
/// What is known of kinds that a cluster may have or not, and of NetworkPolicies, which few relays want.

#include <functional>
#include <map>
#include <mutex>
#include <set>

#include "operator/relay/world.hpp"
#include "operator/runtime/store.hpp"

namespace op::smtp_relay {

/// Where OptionalKinds, who looks, and reconciles meet. Safe from any thread.
class OptionalCaches {
 public:
  OptionalCaches(runtime::Store::Options children, runtime::Store::Options rules)
      : pod_monitors(children), prometheus_rules(std::move(rules)), network_policies(std::move(children)) {}

  /// Of a kind that is looked for; null for dashboards and lists of nodes, which are among the ConfigMaps.
  [[nodiscard]] runtime::Store* store_of(resources::Optional child);

  /// NetworkPolicies and ConfigMaps every cluster has.
  [[nodiscard]] Presence presence_of(resources::Optional child) const;
  void set_presence(resources::Optional child, Presence presence);

  /// Why the operator may not look for a kind in a namespace; empty: it may, as far as anybody knows.
  [[nodiscard]] std::string refusal_of(resources::Optional child, const std::string& name_space) const;
  /// @param name_space  that is watched; empty: all
  void set_refusal(resources::Optional child, const std::string& name_space, const std::string& why);

  /// A relay cannot do with less than this child: its kind is to be watched, or its absence to be told.
  void want(resources::Optional child);
  [[nodiscard]] bool is_wanted(resources::Optional child) const;
  /// Called when a kind is wanted for the first time, on the thread of who wants it. Set before anybody does.
  void on_want(std::function<void()> wake) { wake_ = std::move(wake); }

  runtime::Store pod_monitors;
  runtime::Store prometheus_rules;  ///< with a digest in place of their spec
  runtime::Store network_policies;

 private:
  mutable std::mutex mutex_;
  std::map<resources::Optional, Presence> presences_;                            // under mutex_
  std::map<std::pair<resources::Optional, std::string>, std::string> refusals_;  // likewise
  std::set<resources::Optional> wanted_;                                         // likewise
  std::function<void()> wake_ = [] {};
};

}  // namespace op::smtp_relay
