#pragma once
/// All parts between a Reconciler and the API server, wired: what an operator's main builds on.

#include <memory>
#include <string>
#include <vector>

#include "operator/kube/credentials.hpp"
#include "operator/runtime/event_recorder.hpp"
#include "operator/runtime/http_endpoint.hpp"
#include "operator/runtime/manager.hpp"

namespace op::runtime {

struct PlatformOptions {
  Metrics::Names names;
  std::string program;        ///< `example-operator/1.0`, for the server's logs
  std::string field_manager;  ///< under which the API server remembers our fields; must never change
  std::string event_source;   ///< who tells Events, qualified: `example.com/example-operator`
  kube::Key lease;            ///< without a name there is no election: this process leads at once
  ElectionOptions election;   ///< the identity is made, unique to this process
  double qps = 50;            ///< writes a second; reads are the server's to throttle
  unsigned burst = 100;
  unsigned workers = 4;
  milliseconds resync = std::chrono::hours{10};
  relay::Endpoint health_address;   ///< /healthz and /readyz
  relay::Endpoint metrics_address;  ///< /metrics; may be the same
};

/// Requests, watches and the Lease have connections of their own, so that none waits for another. Writes pass only while
/// we lead, at a bounded rate, Events last of all.
///
/// Construct it, then what uses it (stores, informers, the reconciler), then call serve() and run(). Safe from any thread.
class Platform {
 public:
  /// @param clock  goes on while the process is frozen (BootClock); it and the log outlive this
  Platform(PlatformOptions options, kube::Access access, const relay::Clock& clock, relay::log::Sink& log);
  ~Platform();
  Platform(const Platform&) = delete;
  Platform& operator=(const Platform&) = delete;

  [[nodiscard]] const kube::Access& access() const { return credentials_.access(); }
  /// For reconciles: its writes are refused while somebody else leads.
  [[nodiscard]] kube::Client& client() { return client_; }
  [[nodiscard]] EventSink& events() { return events_; }
  /// What informers need.
  [[nodiscard]] InformerContext informers();
  [[nodiscard]] Metrics& metrics() { return metrics_; }

  /// Who reconciles; once, before run().
  /// @param reconciler  outlives run()
  /// @param all_keys    what to look at when a term begins, and each resync
  void serve(Reconciler& reconciler, std::function<std::vector<Key>()> all_keys);
  // From serve() on:
  /// Something happened to the object of this key.
  void enqueue(const Key& key) { controller_->add(key); }
  /// All are to be looked at, when there is nothing more urgent.
  void enqueue_all() { controller_->add_all(all_keys_()); }
  /// Runs until `stop` is requested and all has ended; once.
  /// @param liveness  of what the program runs beside this, for /healthz
  /// Errors: an address for probes or metrics that can't be bound.
  [[nodiscard]] relay::Result<void> run(
    std::vector<std::unique_ptr<Informer>> informers, const std::stop_token& stop,
    const std::function<Health()>& liveness = [] { return Health{true, "ok"}; }
  );

 private:
  [[nodiscard]] std::unique_ptr<Elector> make_elector();
  [[nodiscard]] relay::Result<std::vector<std::unique_ptr<HttpEndpoint>>> open_endpoints(
    const std::function<Health()>& liveness
  );

  // Each uses only what stands above it.
  PlatformOptions options_;
  const relay::Clock& clock_;
  relay::log::Sink& log_;
  RandomJitter jitter_;
  kube::Credentials credentials_;
  Metrics metrics_;
  Leadership leadership_;
  kube::OpenGate lease_gate_;
  SpareGate spare_gate_;
  struct Connections;
  std::unique_ptr<Connections> connections_;
  kube::Client client_;
  kube::Client watch_client_;
  kube::Client lease_client_;
  kube::Client event_client_;
  EventRecorder events_;
  std::function<std::vector<Key>()> all_keys_;
  std::unique_ptr<Controller> controller_;
  std::unique_ptr<Manager> manager_;
};

}  // namespace op::runtime
