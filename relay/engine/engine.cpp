#include "relay/engine/engine.hpp"

#include <random>

namespace relay::engine {
namespace {

/// For the scheduler's thread alone.
class RandomJitter : public Jitter {
 public:
  double fraction() override { return std::uniform_real_distribution<double>(0, 1)(random_); }

 private:
  std::mt19937 random_{std::random_device{}()};
};

/// Each shard's share of the connections, rounded up so that every shard has one.
std::size_t share(std::size_t connections, std::size_t shards) { return (connections + shards - 1) / shards; }

}  // namespace

Engine::Engine(const Parts& parts)
    : store_(parts.store),
      shards_(parts.shards),
      clock_(parts.clock),
      committer_(parts.store, parts.durable, parts.metrics.shard(parts.shards.size())),
      context_{
        parts.store,
        committer_,
        clock_,
        parts.limits,
        parts.log,
        parts.metrics,
        parts.metrics.shard(parts.shards.size()),
        workers_
      },
      admission_(context_, parts.spool_path),
      memory_(parts.content_memory),
      jitter_(std::make_unique<RandomJitter>()),
      resolver_(parts.scheduler.context(), {}),
      dispatcher_(
        context_, parts.scheduler, admission_,
        {parts.shards.size(), parts.delivery_connections, parts.limits.limits()->retry}, *jitter_
      ) {
  std::vector<Shipper*> shippers;
  for (std::size_t i = 0; i < shards_.size(); ++i) {
    intakes_.push_back(
      std::make_unique<Intake>(context_, dispatcher_, admission_, memory_, parts.metrics.shard(i))
    );
    outboxes_.push_back(std::make_unique<Outbox>(
      context_, Outbox::Services{*shards_[i], i, resolver_, parts.hops, dispatcher_, admission_},
      share(parts.delivery_connections, shards_.size())
    ));
    shippers.push_back(outboxes_.back().get());
  }
  dispatcher_.set_shippers(std::move(shippers));
}

/// The threads that serve the engine's loops have been stopped by their owner.
Engine::~Engine() { workers_.join(); }

void Engine::start() {
  admission_.measure();
  admission_.start_with(store_.usage());
  auto destinations = store_.destinations();
  destinations.push_back(route::smarthost_destination().name);
  dispatcher_.start(destinations);
}

void Engine::stop_deliveries() {
  dispatcher_.pause();
  for (std::size_t i = 0; i < shards_.size(); ++i) {
    net::asio::post(shards_[i]->context(), [outbox = outboxes_[i].get()] { outbox->stop(); });
  }
}

void Engine::close_deliveries() {
  for (std::size_t i = 0; i < shards_.size(); ++i) {
    net::asio::post(shards_[i]->context(), [outbox = outboxes_[i].get()] { outbox->close(); });
  }
}

std::size_t Engine::busy_deliveries() {
  std::size_t sum = 0;
  for (std::size_t i = 0; i < shards_.size(); ++i) {
    sum += net::ask(*shards_[i], [outbox = outboxes_[i].get()] { return outbox->busy(); });
  }
  return sum;
}

}  // namespace relay::engine
