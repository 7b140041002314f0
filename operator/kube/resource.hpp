#pragma once
/// Kinds of the API and the paths under which they are found.

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace op::kube {

/// A kind; one that is in no namespace is addressed with an empty one.
struct Resource {
  std::string_view group;  ///< empty for the core group
  std::string_view version;
  std::string_view plural;
  std::string_view kind;

  /// `apps/v1`, or `v1` for the core group.
  [[nodiscard]] std::string api_version() const;
  /// `/apis/apps/v1/namespaces/mail/daemonsets`; without a namespace that of all of them, `/apis/apps/v1/daemonsets`.
  [[nodiscard]] std::string collection(std::string_view name_space) const;
  [[nodiscard]] std::string path(std::string_view name_space, std::string_view name) const;
};

inline constexpr Resource kConfigMaps{"", "v1", "configmaps", "ConfigMap"};
inline constexpr Resource kSecrets{"", "v1", "secrets", "Secret"};
inline constexpr Resource kServiceAccounts{"", "v1", "serviceaccounts", "ServiceAccount"};
inline constexpr Resource kServices{"", "v1", "services", "Service"};
inline constexpr Resource kNamespaces{"", "v1", "namespaces", "Namespace"};
inline constexpr Resource kNodes{"", "v1", "nodes", "Node"};
inline constexpr Resource kPods{"", "v1", "pods", "Pod"};
inline constexpr Resource kDaemonSets{"apps", "v1", "daemonsets", "DaemonSet"};
inline constexpr Resource kEvents{"events.k8s.io", "v1", "events", "Event"};
inline constexpr Resource kLeases{"coordination.k8s.io", "v1", "leases", "Lease"};
inline constexpr Resource kNetworkPolicies{"networking.k8s.io", "v1", "networkpolicies", "NetworkPolicy"};
// The Prometheus operator's, which a cluster may have or not.
inline constexpr Resource kPodMonitors{"monitoring.coreos.com", "v1", "podmonitors", "PodMonitor"};
inline constexpr Resource kPrometheusRules{
  "monitoring.coreos.com", "v1", "prometheusrules", "PrometheusRule"
};

/// Everything but RFC 3986's unreserved characters as %XX.
[[nodiscard]] std::string percent_encoded(std::string_view text);
/// `?a=1&b=2`; entries with empty values are left out.
[[nodiscard]] std::string query(const std::vector<std::pair<std::string_view, std::string>>& entries);

}  // namespace op::kube
