#pragma once
/// A scheduler with shapes that a test sets, and a disk that is empty.

#include <gtest/gtest.h>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "relay/queue/scheduler.hpp"

namespace relay::queue {

using namespace std::chrono_literals;

inline const Destination kHop{"smarthost/default"};
inline const QueueName kQueue{kHop, Lane::normal};
inline const QueueName kBulkQueue{kHop, Lane::bulk};
inline const WallTime kWall{milliseconds{1'000'000'000'000}};

struct Middle : Jitter {
  double fraction() override { return 0.5; }
};

struct Shapes : ShapeSource {
  Shape fallback{.max_connections = 4, .message_rate = {}, .connection_rate = {}, .retry = {1min, 1h, 120h}};
  std::map<std::string, Shape> of;  // by destination
  std::map<std::string, ProviderShape> of_providers;
  mutable std::size_t asked = 0;

  Shape shape(const Destination& destination, const std::string& provider) const override {
    ++asked;
    const auto found = of.find(destination.name);
    if (found != of.end()) return found->second;
    const auto by_provider = of.find(provider);
    return by_provider == of.end() ? fallback : by_provider->second;
  }
  std::optional<ProviderShape> provider_shape(const std::string& provider) const override {
    const auto found = of_providers.find(provider);
    return found == of_providers.end() ? std::nullopt : std::optional(found->second);
  }
};

class SchedulerFixture : public ::testing::Test {
 protected:
  Middle jitter;
  Shapes shapes;
  SchedulerLimits limits{.shards = 2};
  std::unique_ptr<Scheduler> made;
  Now now{kWall, SteadyTime{} + 1h};
  std::uint64_t next_number = 1;
  std::vector<schedule_step::Start> started;

  /// Made when it is first used, with what the test has set until then.
  Scheduler& scheduler() {
    if (!made) made = std::make_unique<Scheduler>(limits, shapes, jitter);
    return *made;
  }
  void wait(milliseconds duration) {
    now.wall += duration;
    now.steady += duration;
  }
  void accept(int count, const QueueName& queue = kQueue) {
    for (int i = 0; i < count; ++i) {
      const QueueId id{1, next_number++};
      scheduler().announce(queue, id);
      scheduler().admit(queue, {{now.wall, id}, now.wall, 0, 10}, now);
    }
  }
  /// Answers loads with an empty disk; gives the steps of this kind. Starts that are not asked for are kept.
  template <class Step>
  std::vector<Step> steps() {
    std::vector<Step> found;
    for (int round = 0; round < 3; ++round) {
      for (const auto& step : scheduler().plan(now)) {
        if (const auto* load = std::get_if<schedule_step::Load>(&step))
          scheduler().loaded(load->queue, {}, std::nullopt);
        if (const auto* start = std::get_if<schedule_step::Start>(&step)) started.push_back(*start);
        if (const auto* wanted = std::get_if<Step>(&step)) found.push_back(*wanted);
      }
    }
    return found;
  }
  std::vector<schedule_step::Start> starts() {
    (void)steps<schedule_step::Load>();
    return std::exchange(started, {});
  }
  static std::size_t total(const std::vector<schedule_step::Start>& starts) {
    std::size_t sum = 0;
    for (const auto& start : starts) sum += start.items.size();
    return sum;
  }
  static std::size_t total_of(
    const std::vector<schedule_step::Start>& starts, const Destination& destination
  ) {
    std::size_t sum = 0;
    for (const auto& start : starts) sum += start.queue.destination == destination ? start.items.size() : 0;
    return sum;
  }
  void finish(const std::vector<schedule_step::Start>& starts) {
    for (const auto& start : starts) {
      for (const auto& item : start.items) scheduler().finished(start.queue, item.key.id, start.shard);
    }
  }
  void put_back(const std::vector<schedule_step::Start>& starts) {
    for (const auto& start : starts) {
      for (const auto& item : start.items) scheduler().put_back(start.queue, item.key.id, start.shard);
    }
  }
};

}  // namespace relay::queue
