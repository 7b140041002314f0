#pragma once
/// The relay as a process: what it is made of, and its life from start to stop.

#include <atomic>
#include <boost/asio/signal_set.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "relay/app/app.hpp"
#include "relay/app/flush_schedule.hpp"
#include "relay/app/front.hpp"
#include "relay/app/health_log.hpp"
#include "relay/app/outgoing.hpp"
#include "relay/app/redaction.hpp"

namespace relay::app {

/// The time of the machine. Thread: any.
class SystemClock : public Clock {
 public:
  [[nodiscard]] WallTime wall() const override {
    return std::chrono::time_point_cast<milliseconds>(std::chrono::system_clock::now());
  }
  [[nodiscard]] SteadyTime steady() const override { return std::chrono::steady_clock::now(); }
};

/// For the scheduler's thread alone.
class TokenJitter : public Jitter {
 public:
  double fraction() override { return std::uniform_real_distribution<double>(0, 1)(random_); }

 private:
  std::mt19937 random_{std::random_device{}()};
};

/// Thread: the main one, which is the control thread too: it runs all methods. Once in a process.
class Process {
 public:
  /// Starts no thread yet. Throws std::runtime_error when a file of credentials that somebody named can't be read.
  Process(ConfigSource source, const config::Settings& settings);
  /// From start to stop. @return  the exit code
  [[nodiscard]] int run();

 private:
  using steady_clock = std::chrono::steady_clock;
  static constexpr std::chrono::seconds kControlInterval{1};
  static constexpr std::chrono::milliseconds kPoll{50};
  /// Behind the drain timeout: how long closed connections may take to notice.
  static constexpr std::chrono::seconds kCloseTimeout{5};
  /// The exit code of a process that wants to be started anew: EX_TEMPFAIL of sysexits.h.
  static constexpr int kRestart = 75;

  // Each has one writer: the shards, the committer, the control thread, the scheduler's thread.
  metrics::Shard& counters() { return metrics_.shard(shards_.size() + 1); }
  void count_lookup(net::DnsOutcome outcome);

  // ---- start: process_start.cpp ----
  void watch_signals();
  void log_start();
  /// `name=host:port` each, of those besides `listen`.
  [[nodiscard]] std::vector<std::string> listener_names() const;
  /// `name=host:port` each; none: all mail goes by MX.
  [[nodiscard]] std::vector<std::string> smarthost_names() const;
  [[nodiscard]] Result<void> begin();
  [[nodiscard]] Result<std::unique_ptr<spool::Store>> open_spool();
  [[nodiscard]] Result<void> begin_mail();
  [[nodiscard]] int fail(const Error& error);

  // ---- control: process_control.cpp ----
  /// One turn: what a person or Kubernetes changed since the last.
  void control();
  /// True when the process is to stop.
  [[nodiscard]] bool wait_for_stop(milliseconds duration);
  void reload();
  void refuse_reload(const std::vector<config::Fault>& faults);
  void warn_of_restart(const config::Settings& settings);
  void follow_annotations();
  /// The node may be about to go: what waits on it is tried once more while there is time, whatever its next attempt was
  /// to be. The rest of a cordon is a drain.
  void follow_cordon(std::optional<std::string> why);
  /// A drain does all that a stop does but exit: refuse probes, wait for the load balancer, finish, turn
  /// away.
  void follow_drain();
  /// What waits has little time left: its retry schedule would keep it past the end of the pod.
  void follow_retirement();
  /// Which smarthosts refuse ours, for the gauge and for follow_health().
  void follow_credentials();
  /// What `health_fail_on` names; and tells the log of that, and of why no mail can be stored. A drain or a stop has
  /// records of its own.
  void follow_health();
  [[nodiscard]] std::optional<std::string> fault_of(config::HealthFault what);
  /// Ends a process whose spool is shut for good where the next one can open it (decision 0064).
  void follow_spool();
  void turn_away();

  // ---- stop: shutdown.cpp ----
  [[nodiscard]] int stop();
  /// Those that do not finish in time are closed.
  void finish_sessions(steady_clock::time_point deadline);
  /// Delivers on while there is mail that can be tried at once.
  /// @return  how long it might have lasted
  [[nodiscard]] milliseconds flush();
  [[nodiscard]] std::size_t sessions();
  /// Sessions and deliveries that are not done.
  [[nodiscard]] std::size_t busy();
  /// Something waits for a disk that does not answer. All that was acknowledged is on it; the rest was not.
  [[noreturn]] void leave(int code);
  [[nodiscard]] int abandon();
  /// Their coroutines must end before the loops do: they belong to the fronts, which go first.
  void close_pages();
  [[nodiscard]] int end(int code);

  template <class Condition>
  void finish(steady_clock::time_point deadline, std::string_view what, Condition is_done) {
    if (wait_until(deadline, [&] { return hurry_ || is_done(); })) return;
    log_.write(log::warning("drain_timeout")
                 .with("what", what)
                 .with("busy", busy())
                 .with("message", "connections that did not finish are closed"));
  }

  template <class Action>
  void on_fronts(Action action) {
    for (std::size_t i = 0; i < shards_.size(); ++i)
      net::asio::post(shards_[i]->context(), [action, front = fronts_[i].get()] { action(*front); });
  }

  template <class Condition>
  bool wait_until(steady_clock::time_point deadline, Condition condition) {
    while (!condition()) {
      if (steady_clock::now() >= deadline) return false;
      std::this_thread::sleep_for(kPoll);
    }
    return true;
  }

  ConfigSource source_;
  config::Settings settings_;
  SystemClock clock_;
  log::StdoutSink output_{clock_, log::Level::debug};  // log_ knows the level
  RedactingSink log_{output_};
  engine::Journal journal_{log_, clock_};  // what a person asks for by /v1/trace is not redacted
  State state_;
  ConnectionCount connections_{0};
  session::ClientCounts clients_;
  session::RefusalLog refusals_{journal_};
  session::SourceSightings sightings_;
  session::FailedLogins failed_logins_;
  session::RateLimits rate_limits_;
  net::IoThread control_{"control"};
  net::asio::signal_set signals_{control_.context(), SIGTERM, SIGINT};
  std::atomic<bool> stop_requested_{false};
  std::atomic<bool> hurry_{false};
  bool wants_restart_ = false;
  bool loops_turn_ = false;

  net::IoThread scheduler_{"scheduler", net::Precedence::behind_others};
  std::vector<std::unique_ptr<net::IoThread>> shards_;
  metrics::Registry metrics_;
  Files files_;
  std::optional<Files> files_seen_;  // by the turn before
  TokenJitter jitter_;
  net::Resolver resolver_;
  Live live_;
  Subject subject_;
  std::unique_ptr<spool::Store> store_;
  std::unique_ptr<Outgoing> outgoing_;
  std::unique_ptr<engine::Engine> engine_;
  session::PasswordChecks passwords_;
  std::vector<std::unique_ptr<Front>> fronts_;

  std::vector<std::string> refusing_;  // smarthosts, our credentials
  std::vector<std::string> last_faults_;
  std::vector<std::string> keys_that_wait_;
  std::optional<steady_clock::time_point> drained_since_;
  FlushSchedule flushes_;
  HealthLog health_log_;
};

/// Valid as long as the threads.
[[nodiscard]] std::vector<net::IoThread*> pointers(const std::vector<std::unique_ptr<net::IoThread>>& threads
);
/// What a resolver reads beside /etc/resolv.conf.
[[nodiscard]] net::ResolverFiles resolver_files(const config::Settings& settings);

}  // namespace relay::app
