#include "relay/engine/depths.hpp"

#include <gtest/gtest.h>

namespace relay::engine {
namespace {

using namespace std::chrono_literals;

queue::QueueName queue_of(const std::string& key) { return *queue::QueueName::parse(key); }
Place place_in(const std::string& key) { return {queue_of(key), {}, {}}; }

std::uint64_t messages(const Depths& depths, const std::string& destination) {
  for (const auto& depth : depths.top())
    if (depth.destination == destination) return depth.messages;
  return 0;
}

TEST(Depths, AreOfADestinationWithBothItsLanes) {
  Depths depths;
  depths.start_with({{"smarthost/a", 3}, {"smarthost/a;bulk", 4}, {"mx/b.example", 1}});
  EXPECT_EQ(messages(depths, "smarthost/a"), 7U);
  EXPECT_EQ(messages(depths, "mx/b.example"), 1U);
  depths.remove(queue_of("smarthost/a;bulk"));
  EXPECT_EQ(messages(depths, "smarthost/a"), 6U);
}

TEST(Depths, CountAPlaceForEachDestinationOfAMessage) {
  Depths depths;
  depths.add({place_in("smarthost/a"), place_in("mx/b.example")});
  depths.add({place_in("smarthost/a")});
  EXPECT_EQ(messages(depths, "smarthost/a"), 2U);
  EXPECT_EQ(messages(depths, "mx/b.example"), 1U);
  depths.remove(queue_of("mx/b.example"));
  EXPECT_EQ(depths.top().size(), 1U) << "one without mail is forgotten";
  depths.remove(queue_of("mx/b.example"));
  EXPECT_EQ(depths.top().size(), 1U) << "never below nothing";
}

TEST(Depths, NameThoseWithMostAndAddUpTheRest) {
  Depths depths;
  std::map<std::string, std::uint64_t> queues;
  for (std::size_t i = 0; i < metrics::kMaxDestinations + 3; ++i)
    queues["mx/d" + std::to_string(i) + ".example"] = i + 1;
  depths.start_with(queues);
  const WallTime now{1h};
  std::vector<queue::DestinationState> states(2);
  states[0].destination = {"mx/d0.example"};
  states[0].oldest_arrival = now - 90s;
  states[1].destination = {"mx/d20.example"};
  states[1].oldest_arrival = now - 5s;
  depths.note_ages(states, now);
  const auto top = depths.top();
  ASSERT_EQ(top.size(), metrics::kMaxDestinations + 1);
  EXPECT_EQ(top.front().messages, metrics::kMaxDestinations + 3);
  EXPECT_EQ(top.back().destination, "other");
  EXPECT_EQ(top.back().messages, 1U + 2U + 3U);
  EXPECT_EQ(top.back().oldest_seconds, 90);
  for (const auto& depth : top) {
    if (depth.destination == "mx/d20.example") EXPECT_EQ(depth.oldest_seconds, 5);
  }
}

TEST(Depths, ForgetAnAgeThatIsNotKnownAnyMore) {
  Depths depths;
  depths.add({place_in("smarthost/a")});
  std::vector<queue::DestinationState> states(1);
  states[0].destination = {"smarthost/a"};
  states[0].oldest_arrival = WallTime{1s};
  depths.note_ages(states, WallTime{3s});
  EXPECT_EQ(depths.top().front().oldest_seconds, 2);
  depths.note_ages({}, WallTime{4s});
  EXPECT_EQ(depths.top().front().oldest_seconds, 0);
}

}  // namespace
}  // namespace relay::engine
