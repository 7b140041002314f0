#pragma once
/// The outbound half of one shard: makes attempts, settles their outcomes, records them.

#include <random>
#include <unordered_map>

#include "relay/delivery/pool.hpp"
#include "relay/engine/dispatcher.hpp"

namespace relay::engine {

/// Thread: its shard's, but for ship(). Outlives its connections.
class Outbox : public Shipper, public delivery::Reporter {
 public:
  struct Services {
    net::IoThread& thread;
    std::size_t shard;
    net::Resolver& resolver;
    const delivery::HopSource& hops;
    Dispatcher& dispatcher;
    Admission& admission;
  };
  Outbox(const Context& context, Services services, std::size_t max_connections);

  void ship(const route::Destination& destination, std::vector<Dispatched> attempts, bool may_connect)
    override;

  [[nodiscard]] bool may_begin() const override { return !context_.committer.has_failed_for_good(); }
  void attempted(delivery::Job job, smtp::MessageOutcome outcome, delivery::Peer peer) override;
  void untried(delivery::Job job) override;
  void connection_ready(const delivery::Peer& peer) override;
  void connection_closed() override;
  void hop_failed(const smtp::HopFailure& failure, const delivery::Peer& peer, bool was_of_use) override;

  /// Finish what is under way, begin nothing new.
  void stop();
  /// Ends connections, whatever they do: messages under way are deferred.
  void close() { tasks_.close_all(); }
  /// Connections that may have a message, and outcomes that are not recorded yet.
  [[nodiscard]] std::size_t busy() const { return tasks_.count() - pool_.opening() + unrecorded_; }

 private:
  struct Taken {  // an attempt under way
    Attempt attempt;
    SteadyTime begun;
  };
  [[nodiscard]] delivery::Job make_job(Dispatched dispatched);
  struct Unrecorded {  // an outcome on its way to the spool
    Attempt attempt;
    Settlement settlement;
    bool holds_pause = false;
  };
  void submit(const std::shared_ptr<Unrecorded>& outcome);
  void submit_again_later(const std::shared_ptr<Unrecorded>& outcome);
  void recorded(const Unrecorded& outcome);
  void log_untried(const Taken& taken, const delivery::Peer& peer, const std::string& reason);
  void log_outcome(
    const Attempt& attempt, const smtp::MessageOutcome& outcome, const Settlement& settlement,
    const delivery::Peer& peer, SteadyTime begun
  );

  Context context_;
  Services services_;
  metrics::Shard& counters_;
  net::TaskGroup tasks_;
  route::Destination destination_;  // the one there is
  delivery::Pool pool_;
  std::unordered_map<QueueId, Taken, queue::QueueIdHash> taken_;
  struct LastFailure {  // of the hop, for the records of messages that wait for it
    std::string what;
    delivery::Peer peer;
    std::string reply;
  };
  LastFailure last_failure_;
  std::size_t unrecorded_ = 0;
  bool is_stopped_ = false;
  std::mt19937 random_;
};

}  // namespace relay::engine
