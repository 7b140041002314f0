#pragma once
/// One SmtpRelay: gather, plan, apply, publish.

#include "operator/relay/applier.hpp"
#include "operator/relay/caches.hpp"
#include "operator/relay/pod_security.hpp"
#include "operator/relay/reload.hpp"
#include "operator/relay/stall.hpp"
#include "operator/runtime/controller.hpp"
#include "operator/runtime/event_recorder.hpp"

namespace op::smtp_relay {

/// Safe from any thread, for different keys at a time.
class RelayReconciler : public runtime::Reconciler {
 public:
  /// What it works with; all of it outlives it.
  struct Context {
    Caches& caches;
    kube::Client& client;
    runtime::EventSink& events;
    const relay::Clock& clock;
    relay::log::Sink& log;
  };
  RelayReconciler(Defaults defaults, const Context& context);

  kube::Answer<runtime::Outcome> reconcile(const Key& key, std::stop_token stop) override;

 private:
  /// The resource is deleted.
  void bid_farewell(const Key& key);
  void forget(const Key& key);
  [[nodiscard]] kube::Answer<runtime::Outcome> refuse(
    Json object, const relay::Error& why, std::stop_token stop
  );
  [[nodiscard]] kube::Answer<World> gather(api::SmtpRelay relay, std::stop_token stop);
  [[nodiscard]] kube::Answer<std::optional<Json>> look(
    const runtime::Store& cache, const kube::Resource& resource, const Key& child, std::stop_token stop
  );
  void tell_of_write(
    const kube::Resource& resource, const Json& object, std::string_view what, std::string_view why
  );
  [[nodiscard]] kube::Answer<void> apply(const Plan& plan, World& world, std::stop_token stop);
  /// Says in the plan that the rollout has stalled, or else when it will have.
  [[nodiscard]] std::optional<runtime::milliseconds> judge_rollout(const World& world, Plan& plan);
  [[nodiscard]] kube::Answer<runtime::Outcome> stamp_pods(
    const World& world, const Plan& plan, std::stop_token stop
  );
  [[nodiscard]] kube::Answer<void> stamp_pod(
    const Json& pod, const Key& relay, const std::string& stamp, std::stop_token stop
  );
  /// Nothing when the relay is gone: its event is on the way.
  [[nodiscard]] kube::Answer<std::optional<api::SmtpRelay>> publish(
    api::SmtpRelay relay, api::Status next, std::stop_token stop
  );

  Defaults defaults_;
  Caches& caches_;
  kube::Client& client_;
  runtime::EventSink& events_;
  const relay::Clock& clock_;
  relay::log::Sink& log_;
  Applier applier_;
  NamespaceLevels levels_;
  std::mutex mutex_;
  Settling settling_;      // under mutex_
  Standstill standstill_;  // under mutex_
  /// What is told of those that are gone can be read nowhere else; likewise.
  struct Served {
    std::string uid;
    std::string spool_type;
    std::string spool_claim;
  };
  std::map<Key, Served> served_;
};

}  // namespace op::smtp_relay
