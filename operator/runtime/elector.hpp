#pragma once
/// Drives a LeaderElection: keeps the Lease, and tells Leadership and the others what became of it.

#include <functional>
#include <thread>

#include "operator/runtime/leadership.hpp"
#include "relay/base/log.hpp"

namespace op::runtime {

struct ElectorContext {
  kube::Client& client;  ///< with a transport and deadlines of its own: see request_limit()
  Leadership& leadership;
  Metrics& metrics;
  const relay::Clock& clock;
  relay::Jitter& jitter;
  relay::log::Sink& log;
};

struct ElectorCallbacks {
  std::function<void(std::stop_token term)> on_lead;  ///< requested when the term ends
  std::function<void()> on_stand_by;
  /// The lease is about to expire, or has, and we could not stop: the process must not go on. Called by a thread that
  /// waits for no other.
  std::function<void()> on_overdue;
};

class Elector {
 public:
  Elector(kube::Key lease, ElectionOptions options, ElectorContext context, ElectorCallbacks callbacks);
  ~Elector() { stop(); }
  Elector(const Elector&) = delete;
  Elector& operator=(const Elector&) = delete;

  void start();
  /// Stops leading and frees the lease, so that another takes over at once. Nobody may write any more by then.
  void stop();

 private:
  void run(const std::stop_token& stop);
  ElectionEvent take(const election_step::Read&, const std::stop_token& stop);
  ElectionEvent take(const election_step::Create& create, const std::stop_token& stop);
  ElectionEvent take(const election_step::Update& update, const std::stop_token& stop);
  ElectionEvent take(const election_step::Wait& wait, const std::stop_token& stop);
  [[nodiscard]] ElectionEvent written(const kube::Answer<kube::Json>& answer);
  void publish();
  void release();
  [[nodiscard]] bool free_lease(LeaseRecord record);
  void watch_over(const std::stop_token& stop);
  [[nodiscard]] ElectionNow now() const { return {context_.clock.steady(), context_.clock.wall()}; }

  kube::Key lease_;
  std::string identity_;
  milliseconds last_grace_;
  ElectorContext context_;
  ElectorCallbacks callbacks_;
  LeaderElection election_;
  bool is_leading_ = false;
  std::string last_failure_;
  std::jthread watchdog_;
  std::jthread thread_;
};

}  // namespace op::runtime
