#pragma once
/// Drives a WorkQueue: threads that take keys and reconcile them, while we lead.

#include <condition_variable>
#include <map>
#include <thread>
#include <vector>

#include "operator/kube/failure.hpp"
#include "operator/runtime/metrics.hpp"
#include "operator/runtime/work_queue.hpp"
#include "relay/base/log.hpp"

namespace op::runtime {

struct Outcome {
  std::optional<milliseconds> requeue_after{};  ///< look again then, without a failure
};

/// Makes the world as one object says, from whatever state it is in, and can be repeated at any time.
class Reconciler {
 public:
  virtual ~Reconciler() = default;
  /// @param key   says which object, not what happened to it
  /// @param stop  requested when we no longer lead, or the process is to end
  /// Failures: transient ones and conflicts come again behind a back-off, permanent ones only when something changes.
  [[nodiscard]] virtual kube::Answer<Outcome> reconcile(const Key& key, std::stop_token stop) = 0;
};

/// Keys are gathered at any time, worked on only between lead() and pause(). An exception in a reconcile is caught,
/// counted, and treated as a transient failure. Safe from any thread.
class Controller {
 public:
  /// @param workers  threads, at least 1; all others outlive this
  Controller(
    Reconciler& reconciler, unsigned workers, Metrics& metrics, relay::log::Sink& log,
    const relay::Clock& clock
  );

  void start();
  /// Tells the reconciles under way to end, takes no other key, and returns when all threads have ended.
  void stop();

  /// Something happened to it. What happened before we lead is of no more urgency than all else that is looked at then.
  void add(const Key& key);
  /// All of these are looked at, when nothing that happens is more urgent.
  void add_all(const std::vector<Key>& keys);
  /// @param term  requested when work must end
  void lead(std::stop_token term);
  void pause();

  [[nodiscard]] QueueState state() const;
  /// A reconcile has run for longer than its requests may take together: it hangs.
  [[nodiscard]] bool is_stuck() const;

 private:
  void run(const std::stop_token& stop);
  [[nodiscard]] std::optional<WorkQueue::Taken> next(const std::stop_token& stop);
  void work(const Key& key, const std::stop_token& stop);
  [[nodiscard]] kube::Answer<Outcome> attempt(const Key& key, const std::stop_token& stop);
  void conclude(const Key& key, const kube::Answer<Outcome>& answer, SteadyTime began);
  [[nodiscard]] ReconcileResult judge(const Key& key, const kube::Answer<Outcome>& answer, SteadyTime now);
  void report(const Key& key, const kube::Failure& failure);
  void enqueue(const Key& key, Priority priority);  // under the lock
  void announce();                                  // likewise

  Reconciler& reconciler_;
  unsigned workers_;
  Metrics& metrics_;
  relay::log::Sink& log_;
  const relay::Clock& clock_;

  mutable std::mutex mutex_;
  std::condition_variable_any changed_;
  std::uint64_t news_ = 0;  // counts what may give a waiting worker something to do
  WorkQueue queue_;
  std::map<Key, SteadyTime> working_;  // since when
  std::optional<std::stop_token> term_;
  std::vector<std::jthread> threads_;  // last: end before what they use
};

}  // namespace op::runtime
