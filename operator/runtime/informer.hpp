#pragma once
/// Drives a Reflector: one thread that lists and watches one kind of objects and keeps a Sink up to date.

#include <atomic>
#include <thread>

#include "operator/kube/client.hpp"
#include "operator/runtime/metrics.hpp"
#include "operator/runtime/reflector.hpp"
#include "operator/runtime/store.hpp"
#include "operator/runtime/wait.hpp"
#include "relay/base/log.hpp"

namespace op::runtime {

/// What all informers share; all of it outlives them.
struct InformerContext {
  kube::Client& lists;    ///< with deadlines for short requests
  kube::Client& watches;  ///< on a transport that bears long silence
  Metrics& metrics;
  const relay::Clock& clock;
  relay::Jitter& jitter;
  relay::log::Sink& log;
  std::function<void(milliseconds, const std::stop_token&)> wait = wait_for;
};

class Informer {
 public:
  /// Optional: what the server may forbid us to see. That is no failure, and nobody waits for its list. No event tells of
  /// a right that is granted: it is asked for behind the delays of failures, and the server is not bothered before.
  enum class Need : std::uint8_t { required, optional };

  /// @param sink  outlives this
  Informer(
    kube::Selection what, Sink& sink, InformerContext context,
    Reflector::Lists lists = Reflector::Lists::streamed, Need need = Need::required
  )
      : what_(std::move(what)),
        sink_(sink),
        context_(std::move(context)),
        reflector_(lists),
        need_(need),
        is_in_doubt_(need == Need::optional) {}

  void start() {
    thread_ = std::jthread([this](std::stop_token stop) { run(stop); });
  }
  /// Ends the watch; returns when the thread has ended.
  void stop() { thread_ = {}; }

  /// The sink has held a whole list, or we do without.
  [[nodiscard]] bool is_synced() const { return is_synced_ || is_done_without_; }
  /// Something takes more than twice as long as it may: the thread hangs.
  [[nodiscard]] bool is_stuck() const { return context_.clock.steady() > stuck_at_.load(); }
  [[nodiscard]] std::string_view kind() const { return what_.resource.plural; }

 private:
  void run(const std::stop_token& stop);
  ReflectorEvent take(const reflector_step::List& list, const std::stop_token& stop);
  ReflectorEvent take(const reflector_step::Watch& watch, const std::stop_token& stop);
  ReflectorEvent take(const reflector_step::Wait& wait, const std::stop_token& stop);
  void hand_over(kube::WatchEvent& event);
  void gather(kube::WatchEvent& event);
  void has(Json object);
  void has_all();
  void was_let();
  void expect_within(milliseconds time);
  [[nodiscard]] kube::Answer<void> may_look(const std::stop_token& stop);
  [[nodiscard]] kube::Answer<kube::List> list_from(const std::string& version, const std::stop_token& stop);
  [[nodiscard]] kube::Answer<void> watch_from(
    const reflector_step::Watch& watch, const std::stop_token& stop
  );
  /// @return  true: it is no fault, we do without
  bool is_done_without(const kube::Failure& failure);
  void report(std::string_view event, const kube::Failure& failure);

  kube::Selection what_;
  Sink& sink_;
  InformerContext context_;
  Reflector reflector_;
  Need need_;
  std::atomic<bool> is_synced_{false};
  std::atomic<bool> is_done_without_{false};
  std::atomic<SteadyTime> stuck_at_{SteadyTime::max()};
  std::set<Key> present_;    // of what there is, what has come so far
  bool is_failing_ = false;  // reported: the same failure is not told again and again
  std::string last_failure_;
  bool is_in_doubt_;     // of the right to look: it is asked for first
  std::string refusal_;  // why we may not look; empty: we may, or do not know
  std::jthread thread_;  // last: ends before what it uses
};

}  // namespace op::runtime
