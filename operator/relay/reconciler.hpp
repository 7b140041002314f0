#pragma once
/// One SmtpRelay: gather, plan, apply, publish.

#include "operator/relay/applier.hpp"
#include "operator/relay/drainer.hpp"
#include "operator/relay/failed_creates.hpp"
#include "operator/relay/gatherer.hpp"
#include "operator/relay/node_list.hpp"
#include "operator/relay/pod_annotator.hpp"
#include "operator/relay/source_watch.hpp"
#include "operator/relay/stall.hpp"
#include "operator/relay/status_publisher.hpp"
#include "operator/relay/unready_reasons.hpp"
#include "operator/runtime/controller.hpp"
#include "operator/runtime/event_recorder.hpp"

namespace op::smtp_relay {

/// Safe from any thread, for different keys at a time.
class RelayReconciler : public runtime::Reconciler {
 public:
  /// What it works with; all of it outlives it, and what `enqueue` uses the inspectors too.
  struct Context {
    Caches& caches;
    kube::Client& client;
    runtime::EventSink& events;
    const relay::Clock& clock;
    relay::log::Sink& log;
    SpoolInspector& inspector;
    SourceInspector& sources;
    std::function<void(const Key&)> enqueue;  ///< look at this one again, as something has changed
  };
  RelayReconciler(Defaults defaults, const Context& context);

  kube::Answer<runtime::Outcome> reconcile(const Key& key, std::stop_token stop) override;

 private:
  /// The resource is deleted.
  void bid_farewell(const Key& key);
  void forget(const Key& key);
  /// The resource is being deleted, and waits for its mail.
  [[nodiscard]] kube::Answer<runtime::Outcome> drain(const Json& object, std::stop_token stop);
  /// @return  why a deletion will not wait for the mail, though it should; empty: nothing is in the way
  [[nodiscard]] kube::Answer<std::string> keep_finalizer(
    const Json& object, api::SmtpRelay& relay, std::stop_token stop
  );
  [[nodiscard]] kube::Answer<runtime::Outcome> refuse(
    Json object, const relay::Error& why, std::stop_token stop
  );
  void tell_of_write(
    const kube::Resource& resource, const Json& object, std::string_view what, std::string_view why
  );
  [[nodiscard]] kube::Answer<void> apply(
    const Plan& plan, World& world, Witness& witness, std::stop_token stop
  );
  /// Leaves the list of nodes out of the plan while it was written a moment ago.
  void pace_node_list(const World& world, OptionalPlan& plan);
  /// Before the DaemonSet: pods that begin know from their first connection on who hides clients. What fails holds nothing
  /// else back.
  void apply_node_list(OptionalPlan& plan, const World& world, Witness& witness, const std::stop_token& stop);
  /// Says in the plan that the rollout has stalled, or else when it will have.
  [[nodiscard]] std::optional<runtime::milliseconds> judge_rollout(const World& world, Plan& plan);

  Defaults defaults_;
  Caches& caches_;
  kube::Client& client_;
  runtime::EventSink& events_;
  const relay::Clock& clock_;
  Applier applier_;
  OptionalApplier optional_;
  Gatherer gatherer_;
  PodAnnotator annotator_;
  StatusPublisher publisher_;
  Drainer drainer_;
  UnreadyReasons unready_reasons_;
  SourceWatch source_watch_;
  FailedCreates failed_creates_;
  std::mutex mutex_;
  Standstill standstill_;  // under mutex_
  ListPace list_pace_;     // likewise
  /// What is told of those that are gone can be read nowhere else; likewise.
  struct Served {
    std::string uid;
    std::string spool_type;
    std::string spool_claim;
  };
  std::map<Key, Served> served_;
};

}  // namespace op::smtp_relay
