#include "operator/runtime/metrics.hpp"

#include <array>
#include <ctime>
#include <fstream>
#include <map>
#include <mutex>
#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>
#include <unistd.h>

namespace op::runtime {
namespace {

using prometheus::Counter;
using prometheus::Family;
using prometheus::Gauge;
using prometheus::Histogram;
using Labels = std::map<std::string, std::string>;
using Buckets = Histogram::BucketBoundaries;

// controller-runtime's, client-go's and its workqueue's.
const Buckets kReconcileBuckets{.005, .01, .025, .05, .1,   .15, .2,   .25, .3,  .35, .4,  .45, .5,  .6,
                                .7,   .8,  .9,   1,   1.25, 1.5, 1.75, 2,   2.5, 3,   3.5, 4,   4.5, 5,
                                6,    7,   8,    9,   10,   15,  20,   25,  30,  40,  50,  60};
const Buckets kQueueBuckets{1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1, 10, 100, 1000};
const Buckets kRequestBuckets{.005, .025, .1, .25, .5, 1, 2, 4, 8, 15, 30, 45, 60};

constexpr std::array kResults{"success", "error", "requeue", "requeue_after"};

const char* text(ReconcileResult result) { return kResults.at(static_cast<std::size_t>(result)); }

double as_seconds(Metrics::Duration duration) { return duration.count(); }
double as_seconds(seconds duration) { return static_cast<double>(duration.count()); }

/// Octets of memory that this process holds.
double resident_memory() {
  std::ifstream statm("/proc/self/statm");
  std::uint64_t total = 0;
  std::uint64_t resident = 0;
  statm >> total >> resident;
  return static_cast<double>(resident) * static_cast<double>(sysconf(_SC_PAGESIZE));
}

double now_in_seconds() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

}  // namespace

struct Metrics::Series {
  Series(const Names& names, unsigned workers, std::string server)
      : of_controller{{"controller", names.controller}},
        of_queue{{"name", names.controller}, {"controller", names.controller}},
        of_lease{{"name", names.lease}},
        prefix(names.prefix),
        host(std::move(server)) {
    for (const auto* result : kResults)
      reconcile_total.Add({{"controller", names.controller}, {"result", result}});
    gauge("controller_runtime_max_concurrent_reconciles", "Workers").Add(of_controller).Set(workers);
    // No reconcile has a time limit of its own; dashboards expect the series.
    counter("controller_runtime_reconcile_timeouts_total", "Reconciles that took too long")
      .Add(of_controller);
    gauge("process_start_time_seconds", "When this process started, in Unix time")
      .Add({})
      .Set(now_in_seconds());
  }

  /// Up to now: the kernel tells the sum, a counter wants what is new.
  void count_processor_time() {
    const std::lock_guard lock(cpu_mutex);
    cpu.Increment(static_cast<double>(std::clock()) / CLOCKS_PER_SEC - cpu.Value());
  }

  Family<Counter>& counter(const std::string& name, const char* help) {
    return prometheus::BuildCounter().Name(name).Help(help).Register(registry);
  }
  Family<Gauge>& gauge(const std::string& name, const char* help) {
    return prometheus::BuildGauge().Name(name).Help(help).Register(registry);
  }
  Family<Histogram>& histogram(const char* name, const char* help) {
    return prometheus::BuildHistogram().Name(name).Help(help).Register(registry);
  }

  prometheus::Registry registry;
  Labels of_controller;
  Labels of_queue;
  Labels of_lease;
  std::string prefix;
  std::string host;

  Family<Counter>& reconcile_total = counter("controller_runtime_reconcile_total", "Reconciles, by result");
  Counter& errors =
    counter("controller_runtime_reconcile_errors_total", "Reconciles that failed").Add(of_controller);
  Counter& terminal_errors =
    counter("controller_runtime_terminal_reconcile_errors_total", "Reconciles that no retry would mend")
      .Add(of_controller);
  Counter& panics = counter("controller_runtime_reconcile_panics_total", "Reconciles that threw an exception")
                      .Add(of_controller);
  Histogram& reconcile_time = histogram("controller_runtime_reconcile_time_seconds", "Length of a reconcile")
                                .Add(of_controller, kReconcileBuckets);
  Gauge& active_workers = gauge("controller_runtime_active_workers", "Workers with a key").Add(of_controller);

  Gauge& depth = gauge("workqueue_depth", "Keys that wait for a worker").Add(of_queue);
  Counter& adds = counter("workqueue_adds_total", "Keys added").Add(of_queue);
  Counter& retries = counter("workqueue_retries_total", "Keys added again behind a failure").Add(of_queue);
  Histogram& queue_duration =
    histogram("workqueue_queue_duration_seconds", "How long a key waits for a worker")
      .Add(of_queue, kQueueBuckets);
  Histogram& work_duration =
    histogram("workqueue_work_duration_seconds", "How long a worker has a key").Add(of_queue, kQueueBuckets);
  Gauge& unfinished = gauge("workqueue_unfinished_work_seconds", "Work in progress, summed").Add(of_queue);
  Gauge& longest_running =
    gauge("workqueue_longest_running_processor_seconds", "The longest work in progress").Add(of_queue);

  Gauge& master = gauge("leader_election_master_status", "1 while this process leads").Add(of_lease);
  Counter& slow_path =
    counter("leader_election_slowpath_total", "Renewals that had to read the lease first").Add(of_lease);

  Family<Counter>& requests = counter("rest_client_requests_total", "Requests to the API server");
  Family<Histogram>& request_duration =
    histogram("rest_client_request_duration_seconds", "Length of a request; of a watch: until its headers");
  Histogram& write_wait =
    histogram("rest_client_rate_limiter_duration_seconds", "Wait for the writes' token bucket")
      .Add({{"verb", "write"}, {"host", host}}, kRequestBuckets);

  Family<Counter>& lists = counter(prefix + "_list_operations_total", "Lists by the caches");
  Family<Counter>& lists_failed = counter(prefix + "_list_operations_failed_total", "Failed lists");
  Family<Counter>& watches = counter(prefix + "_watch_operations_total", "Watches by the caches");
  Family<Counter>& watches_failed = counter(prefix + "_watch_operations_failed_total", "Failed watches");

  Family<Gauge>& degraded =
    gauge(prefix + "_degraded", "1 for each resource that works with less than it should");
  std::map<std::string, Gauge*> degraded_now;  // by object
  std::mutex degraded_mutex;                   // of both

  Gauge& memory = gauge("process_resident_memory_bytes", "Memory in use").Add({});
  Counter& cpu = counter("process_cpu_seconds_total", "Processor time used").Add({});
  std::mutex cpu_mutex;  // of what is counted and what is yet to be
};

Metrics::Metrics(const Names& names, unsigned workers, const std::string& host)
    : series_(std::make_unique<Series>(names, workers, host)) {}

Metrics::~Metrics() = default;

void Metrics::reconciled(ReconcileResult result, Duration took) {
  auto labels = series_->of_controller;
  labels["result"] = text(result);
  series_->reconcile_total.Add(labels).Increment();
  if (result == ReconcileResult::error) series_->errors.Increment();
  series_->reconcile_time.Observe(as_seconds(took));
}

void Metrics::reconcile_panicked() { series_->panics.Increment(); }
void Metrics::reconcile_failed_for_good() { series_->terminal_errors.Increment(); }
void Metrics::worker_started() { series_->active_workers.Increment(); }
void Metrics::worker_ended() { series_->active_workers.Decrement(); }
void Metrics::queued() { series_->adds.Increment(); }
void Metrics::retried() { series_->retries.Increment(); }
void Metrics::dequeued(Duration waited) { series_->queue_duration.Observe(as_seconds(waited)); }
void Metrics::worked(Duration took) { series_->work_duration.Observe(as_seconds(took)); }

void Metrics::requested(const std::string& method, const std::string& code, Duration took) {
  series_->requests.Add({{"code", code}, {"method", method}, {"host", series_->host}}).Increment();
  series_->request_duration.Add({{"verb", method}, {"host", series_->host}}, kRequestBuckets)
    .Observe(as_seconds(took));
}

void Metrics::write_waited(Duration waited) { series_->write_wait.Observe(as_seconds(waited)); }
void Metrics::leads(bool is_leading) { series_->master.Set(is_leading ? 1 : 0); }
void Metrics::election_was_slow() { series_->slow_path.Increment(); }

void Metrics::cache_operation(CacheOperation operation, const std::string& resource, bool has_failed) {
  const Labels labels{{"resource", resource}};
  const bool is_list = operation == CacheOperation::list;
  (is_list ? series_->lists : series_->watches).Add(labels).Increment();
  (is_list ? series_->lists_failed : series_->watches_failed).Add(labels).Increment(has_failed ? 1 : 0);
}

void Metrics::degraded(const std::string& object, const std::string& reason) {
  const std::lock_guard lock(series_->degraded_mutex);
  if (const auto known = series_->degraded_now.find(object); known != series_->degraded_now.end()) {
    series_->degraded.Remove(known->second);
    series_->degraded_now.erase(known);
  }
  if (reason.empty()) return;
  auto& gauge = series_->degraded.Add({{"object", object}, {"reason", reason}});
  gauge.Set(1);
  series_->degraded_now.emplace(object, &gauge);
}

std::string Metrics::to_text(const QueueState& queue) const {
  series_->depth.Set(static_cast<double>(queue.depth));
  series_->unfinished.Set(as_seconds(queue.unfinished));
  series_->longest_running.Set(as_seconds(queue.longest_running));
  series_->memory.Set(resident_memory());
  series_->count_processor_time();
  return prometheus::TextSerializer().Serialize(series_->registry.Collect());
}

}  // namespace op::runtime
