#pragma once
/// The engine as the app sees it: intake of each shard on one side, deliveries on the other.

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "relay/engine/dead_letters.hpp"
#include "relay/engine/intake.hpp"
#include "relay/engine/outbox.hpp"
#include "relay/engine/own_message.hpp"
#include "relay/engine/transfer.hpp"

namespace relay::engine {

/// What the engine is made from. All references outlive it; threads are started and stopped by their owner.
struct Parts {
  spool::Store& store;
  const Clock& clock;
  const LimitsSource& limits;
  const queue::ShapeSource& shapes;  ///< asked by any thread
  delivery::RouteSource& routes;
  delivery::ProviderSource& providers;
  log::Sink& log;
  metrics::Registry& metrics;  ///< a shard each, then one for the committer
  std::vector<net::IoThread*> shards;
  net::IoThread& scheduler;
  std::string spool_path;
  spool::Durable durable = spool::Durable::yes;
  Octets content_memory;
  queue::SchedulerLimits schedule;  ///< `shards` is filled in
};

class Engine {
 public:
  explicit Engine(const Parts& parts);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  /// Counts what waits and begins to deliver it. Blocks for the spool: at start only. Errors as Store::queues(): then
  /// nothing has begun.
  [[nodiscard]] Result<void> start();

  [[nodiscard]] session::RecipientGate& gate() { return admission_; }
  [[nodiscard]] session::MessageSink& sink(std::size_t shard) { return *intakes_[shard]; }
  /// Why no mail could be stored now. Thread: any.
  [[nodiscard]] std::optional<std::string> unready_reason() const { return admission_.unready_reason(); }
  /// Why the process should end, for the next one to store mail again. Thread: as measure().
  [[nodiscard]] std::optional<std::string> restart_reason() const { return admission_.restart_reason(); }
  [[nodiscard]] std::chrono::steady_clock::duration write_lasts() const { return committer_.busy_for(); }
  /// Measures the disk: about once a second, off the shards.
  void measure();
  [[nodiscard]] const spool::Store& store() const { return store_; }
  [[nodiscard]] net::WorkerPool& workers() { return workers_; }

  /// Takes a message of the relay's own, as from a session; it goes out by itself. Answers once it is durable, or
  /// could not be stored: on the committer's thread, so without waiting. Thread: any.
  void submit_own(
    mail::Envelope envelope, std::string content, Way way, std::function<void(Result<void>)> done
  );

  /// Shapes, routes or limits changed.
  void reload(const queue::SchedulerLimits& schedule);
  /// All mail that waits is due at once, and no hop's suspension stands in its way.
  void hurry_all() { dispatcher_.hurry_all(); }
  /// The same, since next hops or their credentials changed: how often they failed before counts no more.
  void renew_all() { dispatcher_.renew_all(); }
  [[nodiscard]] Dispatcher& dispatcher() { return dispatcher_; }
  [[nodiscard]] std::vector<metrics::Depth> depths() { return dispatcher_.depths().top(); }
  [[nodiscard]] const Context& context() const { return context_; }
  [[nodiscard]] Admission& admission() { return admission_; }
  /// What people do to messages that wait.
  [[nodiscard]] QueueControl& control() { return control_; }
  [[nodiscard]] Imports& imports() { return imports_; }

  /// As Scheduler::has_work(), while outcomes can be recorded. Blocks until the scheduler's thread has answered: not on a
  /// loop.
  [[nodiscard]] bool has_work();
  /// The name of a smarthost whose hosts can't be used while mail waits for it; empty: none. Blocks as has_work().
  [[nodiscard]] std::string failing_smarthost();
  /// As Scheduler::served(), of smarthosts. Blocks as has_work().
  [[nodiscard]] std::vector<route::Destination> served_smarthosts();
  /// Deliveries under way finish, none begins. Thread: any.
  void stop_deliveries();
  /// Connections that still deliver are closed; their messages are deferred. Thread: any.
  void close_deliveries();
  /// Deliveries under way, all shards. Blocks until each shard has answered: not on a shard.
  [[nodiscard]] std::size_t busy_deliveries();

 private:
  spool::Store& store_;
  std::vector<net::IoThread*> shards_;
  net::IoThread& scheduler_;
  net::WorkerPool workers_{2};
  QueueClock clock_;
  spool::Committer committer_;
  Context context_;
  Admission admission_;
  Leftovers leftovers_;
  ContentMemory memory_;
  std::unique_ptr<Jitter> jitter_;
  Reports reports_;
  Dispatcher dispatcher_;
  QueueControl control_;
  DeadLetters dead_letters_;
  Imports imports_;
  std::vector<std::unique_ptr<Intake>> intakes_;
  std::vector<std::unique_ptr<Outbox>> outboxes_;
};

}  // namespace relay::engine
