#pragma once
/// Counters and histograms under controller-runtime's and client-go's names, so that dashboards made for those work.

#include <chrono>
#include <memory>
#include <string>

#include "operator/runtime/clock.hpp"

namespace op::runtime {

/// How a reconcile ended.
enum class ReconcileResult : std::uint8_t { success, error, requeue, requeue_after };

/// The gauges that are read when somebody asks for them.
struct QueueState {
  std::size_t depth = 0;
  seconds unfinished{};  ///< summed over the keys with workers
  seconds longest_running{};
};

/// What a watch thread does.
enum class CacheOperation : std::uint8_t { list, watch };

/// All series exist from the start, at 0, save those of requests, lists and watches, which begin with the first,
/// and those of degraded resources, which last as long. Safe from any thread.
class Metrics {
 public:
  struct Names {
    std::string controller;  ///< the label of controller-runtime's and the work queue's series
    std::string lease;       ///< the label of those of the election
    std::string
      prefix;  ///< of the names of the series that no other project has, `x` for `x_list_operations_total`
  };
  /// @param workers  how many; @param host  of the API server
  Metrics(const Names& names, unsigned workers, const std::string& host);
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  using Duration = std::chrono::duration<double>;
  void reconciled(ReconcileResult result, Duration took);
  void reconcile_panicked();
  void reconcile_failed_for_good();
  void worker_started();
  void worker_ended();
  void queued();
  void retried();
  void dequeued(Duration waited);
  void worked(Duration took);
  void requested(const std::string& method, const std::string& code, Duration took);
  void write_waited(Duration waited);
  void leads(bool is_leading);
  void election_was_slow();
  /// An object of the controller's, `namespace/name`, works with less than it should, for this reason; empty: it works as it
  /// should, or is gone.
  void degraded(const std::string& object, const std::string& reason);
  void cache_operation(CacheOperation operation, const std::string& resource, bool has_failed);

  /// The exposition format of Prometheus.
  [[nodiscard]] std::string to_text(const QueueState& queue) const;

 private:
  struct Series;
  std::unique_ptr<Series> series_;
};

}  // namespace op::runtime
