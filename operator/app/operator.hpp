#pragma once
/// All parts of the running operator, wired.

#include <memory>

#include "operator/app/options.hpp"
#include "operator/kube/cpprest_transport.hpp"
#include "operator/relay/reconciler.hpp"
#include "operator/relay/rights.hpp"
#include "operator/runtime/http_endpoint.hpp"
#include "operator/runtime/manager.hpp"
#include "operator/runtime/metered_transport.hpp"

namespace op::app {

/// Where the API server is and who we are: --kubeconfig, or else the pod's ServiceAccount.
[[nodiscard]] relay::Result<kube::Access> find_access(const Options& options);

class Operator {
 public:
  /// @param access  its namespace must be set; all others outlive this
  Operator(const Options& options, kube::Access access, const relay::Clock& clock, relay::log::Sink& log);

  /// Prints which rights are there and which are missing. @return  the exit code, as --preflight says
  [[nodiscard]] int preflight(const std::stop_token& stop);
  /// Runs until `stop` is requested and all has ended. Errors: an address for probes or metrics that can't be bound.
  [[nodiscard]] relay::Result<void> run(const std::stop_token& stop);

 private:
  /// Logs each right that is missing, once.
  void look_at_rights(const std::stop_token& stop);
  [[nodiscard]] std::vector<std::unique_ptr<runtime::Informer>> make_informers(
    const std::vector<std::string>& namespaces
  );
  [[nodiscard]] std::unique_ptr<runtime::Elector> make_elector(
    const Options& options, const std::string& name_space
  );
  [[nodiscard]] std::vector<std::unique_ptr<runtime::HttpEndpoint>> make_endpoints(const Options& options);

  // Each uses only what stands above it.
  const relay::Clock& clock_;
  relay::log::Sink& log_;
  runtime::RandomJitter jitter_;
  std::string identity_;
  kube::Credentials credentials_;
  smtp_relay::Realm realm_;
  runtime::Metrics metrics_;
  runtime::Leadership leadership_;
  kube::OpenGate lease_gate_;
  kube::CpprestTransport request_transport_;
  kube::CpprestTransport watch_transport_;
  kube::CpprestTransport lease_transport_;
  runtime::MeteredTransport metered_requests_;
  runtime::MeteredTransport metered_watches_;
  runtime::MeteredTransport metered_lease_;
  kube::Client client_;
  kube::Client watch_client_;
  kube::Client lease_client_;
  runtime::SpareGate spare_gate_;
  kube::Client event_client_;
  runtime::EventRecorder events_;
  smtp_relay::Caches caches_;
  smtp_relay::RelayReconciler reconciler_;
  runtime::Controller controller_;
  runtime::Manager manager_;
  std::unique_ptr<runtime::Elector> elector_;
  std::vector<std::unique_ptr<runtime::HttpEndpoint>> endpoints_;
};

}  // namespace op::app
