#pragma once
/// Whether we may write right now: the answer of the election, as all threads see it.

#include <atomic>
#include <condition_variable>
#include <memory>

#include "operator/kube/client.hpp"
#include "operator/runtime/leader_election.hpp"
#include "operator/runtime/metrics.hpp"
#include "operator/runtime/token_bucket.hpp"

namespace op::runtime {

/// Lets writes pass while a term lasts, at a bounded rate. Each write is judged right before it is sent, by a clock that
/// goes on while the process is frozen, and must end before the watchdog would end the process.
///
/// A process that is frozen between that judgement and the network may still send one write late: a Lease can't fence
/// (client-go says the same). Such a write carries a resourceVersion or repeats what is already so.
///
/// Safe from any thread.
class Leadership : public kube::WriteGate {
 public:
  /// @param clock, metrics  outlive this
  Leadership(const relay::Clock& clock, TokenBucket rate, Metrics& metrics)
      : clock_(clock), metrics_(metrics), rate_(rate) {}

  /// A term begins, or goes on until later.
  void lead(const Term& term);
  /// The term is over: writes under way are cancelled, none begins.
  void step_down();

  [[nodiscard]] bool is_leading() const;
  /// Requested when the present term ends; already requested when there is none.
  [[nodiscard]] std::stop_token term() const;

  // For the watchdog. None of them takes a lock: whoever hangs may hold it.
  /// When the last term has to be over; SteadyTime::max() before the first.
  [[nodiscard]] SteadyTime overdue_from() const { return overdue_.load(); }
  /// That moment has come and yet we have not stepped down, or a write still runs.
  [[nodiscard]] bool is_overdue() const;
  /// The lease of the last term has expired.
  [[nodiscard]] bool is_expired() const { return clock_.steady() >= expires_.load(); }

  kube::Answer<std::unique_ptr<kube::WritePermit>> admit(std::stop_token stop) override;
  /// The same for what can wait: passes only while half of the burst is left for all else.
  [[nodiscard]] kube::Answer<std::unique_ptr<kube::WritePermit>> admit_spare(std::stop_token stop);

 private:
  class Permit;
  [[nodiscard]] bool may_write() const;  // under the lock
  [[nodiscard]] kube::Answer<std::unique_ptr<kube::WritePermit>> permit(const std::stop_token& stop
  );  // likewise

  const relay::Clock& clock_;
  Metrics& metrics_;
  mutable std::mutex mutex_;
  std::condition_variable_any changed_;
  TokenBucket rate_;
  std::optional<Term> term_;
  std::stop_source term_ends_;
  // Of the last term.
  std::atomic<SteadyTime> overdue_{SteadyTime::max()};
  std::atomic<SteadyTime> expires_{SteadyTime::max()};
  std::atomic<bool> has_term_{false};
  std::atomic<unsigned> writing_{0};  // permits in use
};

/// For writes that everything else may overtake.
class SpareGate : public kube::WriteGate {
 public:
  /// @param leadership  outlives this
  explicit SpareGate(Leadership& leadership) : leadership_(leadership) {}
  kube::Answer<std::unique_ptr<kube::WritePermit>> admit(std::stop_token stop) override {
    return leadership_.admit_spare(std::move(stop));
  }

 private:
  Leadership& leadership_;
};

}  // namespace op::runtime
