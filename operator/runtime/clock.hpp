#pragma once
/// NAME      runtime -- what a controller needs around its reconcile: caches, queue, election, metrics, probes
/// USES      kube; cpprestsdk for the HTTP endpoints (endpoints.cpp)
/// INVARIANT knows no resource of ours; what decides is a machine without I/O (reflector, work_queue, token_bucket,
///           leader_election), what waits is a thin driver around it (informer, controller, elector); platform wires
///           them all, process is the main around it
/// FAILURES  a failing API server is waited for, without end; a lost lease makes a standby of the process; only a
///           write that can't be stopped before the lease expires ends it (watchdog)
/// LIMITS    one thread a watch, one a worker

#include <mutex>
#include <random>

#include "relay/base/clock.hpp"

namespace op::runtime {

using relay::milliseconds;
using relay::seconds;
using relay::SteadyTime;
using relay::WallTime;

/// Steady time that goes on while the machine sleeps (CLOCK_BOOTTIME): a lease does too.
class BootClock : public relay::Clock {
 public:
  [[nodiscard]] WallTime wall() const override;
  [[nodiscard]] SteadyTime steady() const override;
};

/// Safe from any thread.
class RandomJitter : public relay::Jitter {
 public:
  double fraction() override;

 private:
  std::mutex mutex_;
  std::mt19937_64 random_{std::random_device{}()};
};

}  // namespace op::runtime
