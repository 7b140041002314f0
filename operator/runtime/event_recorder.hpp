#pragma once
/// Drives EventSeries: one thread that writes what is told.

#include <condition_variable>
#include <mutex>
#include <thread>

#include "operator/kube/client.hpp"
#include "operator/runtime/event_series.hpp"
#include "relay/base/log.hpp"

namespace op::runtime {

/// Where reconciles tell what happened. Never waits. Safe from any thread.
class EventSink {
 public:
  virtual ~EventSink() = default;
  virtual void record(Occurrence occurrence) = 0;
};

/// Best effort: an Event that is lost stops nothing. What is told while somebody else leads is dropped by the gate of
/// `client`. Safe from any thread.
class EventRecorder : public EventSink {
 public:
  /// @param client  with a gate that lets all else pass first (SpareGate); it and all others outlive this
  EventRecorder(kube::Client& client, EventSeries series, const relay::Clock& clock, relay::log::Sink& log)
      : client_(client), series_(std::move(series)), clock_(clock), log_(log) {}

  void start() {
    thread_ = std::jthread([this](std::stop_token stop) { run(stop); });
  }
  /// Cancels the write under way; returns when the thread has ended.
  void stop() { thread_ = {}; }

  void record(Occurrence occurrence) override;

 private:
  void run(const std::stop_token& stop);
  [[nodiscard]] std::optional<EventSeries::Write> next(const std::stop_token& stop);
  [[nodiscard]] kube::Answer<void> send(const EventSeries::Write& write, const std::stop_token& stop);
  void report(const kube::Failure& failure);
  [[nodiscard]] Moment now() const { return {clock_.steady(), clock_.wall()}; }

  kube::Client& client_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::uint64_t news_ = 0;
  EventSeries series_;  // under mutex_
  const relay::Clock& clock_;
  relay::log::Sink& log_;
  std::string last_failure_;  // the thread's own
  std::jthread thread_;       // last: ends before what it uses
};

}  // namespace op::runtime
