#pragma once
/// What a reconcile looks at: from the caches, and from the server what they cannot have.

#include "operator/relay/caches.hpp"
#include "operator/relay/optional_applier.hpp"
#include "operator/relay/pod_security.hpp"

namespace op::smtp_relay {

/// Safe from any thread, for different SmtpRelays at a time.
class Gatherer {
 public:
  /// All of these outlive this.
  Gatherer(Caches& caches, kube::Client& client, OptionalApplier& optional, const relay::Clock& clock)
      : caches_(caches), client_(client), optional_(optional), levels_(client, clock) {}

  /// Failures: transient ones of a request. What may not be read is an answer.
  [[nodiscard]] kube::Answer<World> gather(api::SmtpRelay relay, std::stop_token stop);

 private:
  [[nodiscard]] kube::Answer<void> gather_references(World& world, const std::stop_token& stop);
  [[nodiscard]] kube::Answer<void> gather_children(World& world, const std::stop_token& stop);

  Caches& caches_;
  kube::Client& client_;
  OptionalApplier& optional_;
  NamespaceLevels levels_;
};

}  // namespace op::smtp_relay
