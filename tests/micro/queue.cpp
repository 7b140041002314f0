/// The scheduler with a thousand destinations, from the queue to the outcome.

#include "relay/queue/scheduler.hpp"
#include "tests/micro/path.hpp"

namespace relay::micro {
namespace {

using namespace std::chrono_literals;
using namespace queue;

constexpr std::size_t kDestinations = 1000;

struct Middle : Jitter {
  double fraction() override { return 0.5; }
};

struct Shapes : ShapeSource {
  Shape shape(const Destination&, const std::string&) const override { return {}; }
  std::optional<ProviderShape> provider_shape(const std::string&) const override { return std::nullopt; }
};

/// The scheduler's owner with next hops that take everything at once; each has a connection that stays.
class Scheduling {
 public:
  Scheduling() {
    for (std::size_t i = 0; i < kDestinations; ++i)
      queues_.push_back({{"mx/domain" + std::to_string(i) + ".example"}, Lane::normal});
    for (const auto& queue : queues_) enqueue(queue);
    for (const auto& start : run()) scheduler_.connection_ready(start.queue.destination, start.shard);
    finish();
  }

  /// One message for each.
  void round() {
    for (const auto& queue : queues_) enqueue(queue);
    require(run().size() == kDestinations, "a start of each destination");
    finish();
  }
  /// One message for one of them, while the others have none.
  void one() {
    next_ = (next_ + 1) % kDestinations;
    enqueue(queues_[next_]);
    require(run().size() == 1, "a start");
    finish();
  }

 private:
  void enqueue(const QueueName& queue) {
    const QueueId id{1, ++number_};
    scheduler_.announce(queue, id);
    scheduler_.admit(queue, {{now_.wall, id}, now_.wall, 0, 4096, now_.wall}, now_);
  }
  /// Until there is no more to do; the disk holds nothing.
  const std::vector<schedule_step::Start>& run() {
    now_.wall += 1ms;
    now_.steady += 1ms;
    for (auto steps = scheduler_.plan(now_); !steps.empty(); steps = scheduler_.plan(now_)) {
      for (auto& step : steps) {
        if (const auto* load = std::get_if<schedule_step::Load>(&step))
          scheduler_.loaded(load->queue, {}, std::nullopt);
        else if (const auto* resolve = std::get_if<schedule_step::Resolve>(&step))
          scheduler_.resolved(resolve->destination, "", SteadyTime::max());
        else starts_.push_back(std::move(std::get<schedule_step::Start>(step)));
      }
    }
    return starts_;
  }
  void finish() {
    for (const auto& start : starts_) {
      scheduler_.judged(start.queue.destination);
      for (const auto& item : start.items) scheduler_.finished(start.queue, item.key.id, start.shard);
    }
    starts_.clear();
  }

  Shapes shapes_;
  Middle jitter_;
  Scheduler scheduler_{SchedulerLimits{.shards = 2}, shapes_, jitter_};
  Now now_{WallTime{milliseconds{1'769'847'330'000}}, SteadyTime{} + 1h};
  std::vector<QueueName> queues_;
  std::vector<schedule_step::Start> starts_;
  std::uint64_t number_ = 0;
  std::size_t next_ = 0;
};

Operation schedule_one_message() {
  return [scheduling = std::make_shared<Scheduling>()] { scheduling->one(); };
}
Operation schedule_1000_messages() {
  return [scheduling = std::make_shared<Scheduling>()] { scheduling->round(); };
}

}  // namespace

std::vector<Path> queue_paths() {
  return {
    {"queue/schedule_one_message", 500, schedule_one_message},
    {"queue/schedule_1000_messages", 3, schedule_1000_messages},
  };
}

}  // namespace relay::micro
