#pragma once
/// What Pod Security Admission makes of the pods of a namespace.

#include <mutex>

#include "operator/kube/client.hpp"
#include "operator/relay/world.hpp"
#include "operator/runtime/clock.hpp"

namespace op::smtp_relay {

/// Remembers each namespace's level for a minute, so that a fleet of relays does not ask for each. A watch would need a
/// right on all namespaces of the cluster; `get` can be granted in each alone.
///
/// Safe from any thread.
class NamespaceLevels {
 public:
  /// @param client, clock  outlive this
  NamespaceLevels(kube::Client& client, const relay::Clock& clock) : client_(client), clock_(clock) {}

  /// Failures: transient ones of the request; a namespace that may not be read is an answer.
  [[nodiscard]] kube::Answer<PodSecurity> of(const std::string& name_space, std::stop_token stop);

 private:
  struct Known {
    PodSecurity level;
    relay::SteadyTime read;
  };
  kube::Client& client_;
  const relay::Clock& clock_;
  std::mutex mutex_;
  std::map<std::string, Known> known_;
};

/// Relay pods have a host port, and mostly a host path: both are refused by every level but `privileged`.
[[nodiscard]] bool lets_relays_run(const PodSecurity& security);

}  // namespace op::smtp_relay
