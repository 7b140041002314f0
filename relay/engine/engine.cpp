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

queue::SchedulerLimits for_shards(queue::SchedulerLimits limits, std::size_t shards) {
  limits.shards = shards;
  return limits;
}

}  // namespace

Engine::Engine(const Parts& parts)
    : store_(parts.store),
      shards_(parts.shards),
      scheduler_(parts.scheduler),
      clock_(parts.clock),
      committer_(parts.store, parts.durable, parts.metrics.shard(parts.shards.size())),
      context_{parts.store,  committer_, clock_,        parts.limits,
               parts.shapes, parts.log,  parts.metrics, parts.metrics.shard(parts.shards.size()),
               workers_},
      admission_(context_, parts.spool_path),
      leftovers_(committer_),
      memory_(parts.content_memory),
      jitter_(std::make_unique<RandomJitter>()),
      reports_(context_),
      dispatcher_(
        context_, parts.scheduler, admission_, parts.providers,
        for_shards(parts.schedule, parts.shards.size()), *jitter_
      ),
      control_(context_, dispatcher_, admission_, reports_),
      dead_letters_(context_, control_),
      imports_(context_, dispatcher_, admission_, leftovers_) {
  std::vector<Shipper*> shippers;
  for (std::size_t i = 0; i < shards_.size(); ++i) {
    intakes_.push_back(
      std::make_unique<Intake>(context_, dispatcher_, admission_, leftovers_, memory_, parts.metrics.shard(i))
    );
    outboxes_.push_back(std::make_unique<Outbox>(
      context_,
      Outbox::Services{*shards_[i], i, parts.routes, dispatcher_, admission_, dispatcher_.shares(), reports_}
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
  dispatcher_.describe(metrics::kMaxDestinations, [this](const auto& states, std::size_t) {
    dispatcher_.depths().note_ages(states, clock_.now());
  });
  dead_letters_.sweep();
  imports_.sweep();
}

Result<void> Engine::start() {
  const auto queues = store_.queues();
  if (!queues) return tl::unexpected(queues.error());
  admission_.measure();
  const auto usage = store_.usage();
  admission_.start_with(usage);
  dispatcher_.depths().start_with(usage.by_queue);
  dispatcher_.start(*queues);
  return {};
}

void Engine::submit_own(
  mail::Envelope envelope, std::string content, Way way, std::function<void(Result<void>)> done
) {
  envelope.arrival = clock_.clock().wall();
  auto made = std::make_shared<OwnMessage>(
    own_message(context_, store_.next_id(), std::move(envelope), std::move(content), clock_.now(), way)
  );
  dispatcher_.announce(made->message.places);
  auto operations = std::move(made->operations);
  auto answer = [this, made, done = std::move(done)](const Result<void>& result) {
    if (result) {
      admission_.add_waiting(1, made->message.fresh.stored.envelope.size);
      dispatcher_.accepted(std::move(made->message));
    } else {
      dispatcher_.withdraw(made->message.places);
    }
    done(result);
  };
  committer_.submit({std::move(operations), spool::Sync::yes, std::move(answer)});
}

void Engine::reload(const queue::SchedulerLimits& schedule) {
  dispatcher_.reload(for_shards(schedule, shards_.size()));
}

bool Engine::has_work() {
  return net::ask(scheduler_, [this] { return dispatcher_.has_work(); });
}

std::string Engine::failing_smarthost() {
  return net::ask(scheduler_, [this] { return dispatcher_.failing_smarthost(); });
}

std::vector<route::Destination> Engine::served_smarthosts() {
  return net::ask(scheduler_, [this] { return dispatcher_.served_smarthosts(); });
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
