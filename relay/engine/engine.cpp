#include "relay/engine/engine.hpp"

#include <algorithm>
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

/// A shard's share of the connections: together they are all of them and no more.
std::size_t share(std::size_t connections, std::size_t shards, std::size_t shard) {
  return connections / shards + (shard < connections % shards ? 1 : 0);
}

/// Shards that have a share at all; no others are given messages.
std::size_t delivering_shards(const Parts& parts) {
  return std::clamp<std::size_t>(parts.delivery_connections, 1, parts.shards.size());
}

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
      leftovers_(committer_),
      memory_(parts.content_memory),
      jitter_(std::make_unique<RandomJitter>()),
      resolver_(parts.scheduler.context(), {}),
      dispatcher_(
        context_, parts.scheduler, admission_,
        {delivering_shards(parts), parts.delivery_connections, parts.limits.limits()->retry}, *jitter_
      ) {
  std::vector<Shipper*> shippers;
  for (std::size_t i = 0; i < shards_.size(); ++i) {
    intakes_.push_back(
      std::make_unique<Intake>(context_, dispatcher_, admission_, leftovers_, memory_, parts.metrics.shard(i))
    );
    outboxes_.push_back(std::make_unique<Outbox>(
      context_, Outbox::Services{*shards_[i], i, resolver_, parts.hops, dispatcher_, admission_},
      share(std::max<std::size_t>(parts.delivery_connections, 1), shards_.size(), i)
    ));
    shippers.push_back(outboxes_.back().get());
  }
  dispatcher_.set_shippers(std::move(shippers));
}

/// The threads that serve the engine's loops have been stopped by their owner. What is left runs before any
/// member goes: workers submit commits, and answers to commits speak to all the others.
Engine::~Engine() {
  store_.stop_reclaiming();
  workers_.join();
  committer_.stop();
}

void Engine::measure() {
  admission_.measure();
  leftovers_.retry();
}

void Engine::start() {
  admission_.measure();
  admission_.start_with(store_.usage());
  auto destinations = store_.destinations();
  destinations.push_back(route::smarthost_destination().name);
  dispatcher_.start(destinations);
}

void Engine::stop_deliveries() {
  dispatcher_.pause();
  store_.stop_reclaiming();
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
