#pragma once
/// What running pods are told by annotations: that their node is cordoned, and that their files are to be read again.

#include <mutex>

#include "operator/kube/client.hpp"
#include "operator/relay/plan.hpp"
#include "operator/relay/reload.hpp"
#include "operator/relay/witness.hpp"
#include "operator/runtime/controller.hpp"
#include "relay/base/log.hpp"

namespace op::smtp_relay {

/// Safe from any thread, for different SmtpRelays at a time.
class PodAnnotator {
 public:
  /// All of these outlive this.
  PodAnnotator(kube::Client& client, const relay::Clock& clock, relay::log::Sink& log)
      : client_(client), clock_(clock), log_(log) {}

  /// Tells pods whether their node is cordoned. A pod that is gone is no failure, and one that can't be told
  /// keeps no other from it. Failures: one that may pass by itself before one that lasts.
  [[nodiscard]] kube::Answer<void> mark(
    const World& world, const Plan& plan, Witness& witness, const std::stop_token& stop
  );
  /// Tells pods to read their files again. Failures: likewise.
  /// @return  when to come back, while changes may still follow
  [[nodiscard]] kube::Answer<runtime::Outcome> stamp(
    const World& world, const Plan& plan, Witness& witness, const std::stop_token& stop
  );
  void forget(const Key& relay);

 private:
  [[nodiscard]] kube::Answer<void> stamp_pod(
    const Json& pod, const Key& relay, const std::string& stamp, const std::stop_token& stop
  );

  kube::Client& client_;
  const relay::Clock& clock_;
  relay::log::Sink& log_;
  std::mutex mutex_;
  Settling settling_;  // under mutex_
};

}  // namespace op::smtp_relay
