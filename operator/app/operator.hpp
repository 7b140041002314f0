#pragma once
/// The SmtpRelay controller on its platform.

#include "operator/app/options.hpp"
#include "operator/relay/optional_kinds.hpp"
#include "operator/relay/reconciler.hpp"
#include "operator/relay/rights.hpp"
#include "operator/runtime/platform.hpp"

namespace op::app {

class Operator {
 public:
  /// @param access  its namespace must be set; all others outlive this
  Operator(const Options& options, kube::Access access, const relay::Clock& clock, relay::log::Sink& log);

  /// Prints which rights are there and which are missing. @return  the exit code, as --preflight says
  [[nodiscard]] int preflight(const std::stop_token& stop);
  /// Runs until `stop` is requested and all has ended. Errors: an address for probes or metrics that can't be bound.
  [[nodiscard]] relay::Result<void> run(const std::stop_token& stop);

 private:
  [[nodiscard]] runtime::Health liveness() const;
  /// Logs each right that is missing, once.
  void look_at_rights(const std::stop_token& stop);
  [[nodiscard]] std::vector<std::unique_ptr<runtime::Informer>> make_informers();

  // Each uses only what stands above it.
  relay::log::Sink& log_;
  smtp_relay::Realm realm_;
  runtime::Platform platform_;
  runtime::PageFetcher pages_;
  smtp_relay::PodInspector inspector_;
  smtp_relay::PodSources sources_;
  smtp_relay::Caches caches_;
  smtp_relay::OptionalKinds optional_kinds_;
  smtp_relay::RelayReconciler reconciler_;
};

}  // namespace op::app
