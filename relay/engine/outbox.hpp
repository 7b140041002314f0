#pragma once
/// The outbound half of one shard: makes attempts and hands their outcomes to the settler.

#include <map>
#include <unordered_map>

#include "relay/delivery/pool.hpp"
#include "relay/engine/settler.hpp"

namespace relay::engine {

/// Thread: its shard's, but for ship() and settle(). Outlives its connections.
class Outbox : public Shipper {
 public:
  struct Services {
    net::IoThread& thread;
    std::size_t shard;
    delivery::RouteSource& routes;
    Dispatcher& dispatcher;
    Admission& admission;
    Shares& shares;
    Reports& reports;
  };
  Outbox(const Context& context, Services services);
  ~Outbox() override;

  void ship(
    const route::Destination& destination, std::vector<Dispatched> attempts, std::size_t max_connections
  ) override;
  void settle(Attempt attempt, smtp::MessageOutcome outcome) override;

  /// Finish what is under way, begin nothing new.
  void stop();
  /// Ends connections, whatever they do: messages under way are deferred.
  void close() { tasks_.close_all(); }
  /// Connections that may have a message, and outcomes that are not recorded yet.
  [[nodiscard]] std::size_t busy() const;

 private:
  class Destination;  // one, with its pool
  struct Taken {      // an attempt under way
    Attempt attempt;
    SteadyTime begun;
  };
  using TakenKey = std::pair<route::Destination, QueueId>;
  Destination& at(const route::Destination& destination);
  void forget_idle();
  [[nodiscard]] std::optional<delivery::Job> make_job(Dispatched dispatched);
  [[nodiscard]] const Attempt& at(const route::Destination& destination, const QueueId& id) const;
  Taken take(const route::Destination& destination, const QueueId& id);

  Context context_;
  Services services_;
  metrics::Shard& counters_;
  Settler settler_;
  net::TaskGroup tasks_;
  std::map<route::Destination, std::unique_ptr<Destination>> destinations_;
  std::map<TakenKey, Taken> taken_;
  bool is_stopped_ = false;
};

}  // namespace relay::engine
