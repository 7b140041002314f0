#include "operator/relay/stall.hpp"

#include <gtest/gtest.h>

namespace op::smtp_relay {
namespace {

using runtime::milliseconds;
using runtime::seconds;
using runtime::SteadyTime;

const Key kEdge{"mail", "edge"};
constexpr milliseconds kAfter = seconds{600};

Rollout rollout(int updated, int available) {
  Rollout made;
  made.exists = made.is_observed = true;
  made.desired = 3;
  made.updated = updated;
  made.available = available;
  return made;
}

TEST(Stall, ComesWhenNothingMovesForItsTime) {
  Standstill standstill;
  const SteadyTime start{};
  EXPECT_EQ(standstill.time_left(kEdge, rollout(1, 2), kAfter, start), kAfter);
  EXPECT_EQ(standstill.time_left(kEdge, rollout(1, 2), kAfter, start + seconds{400}), seconds{200});
  EXPECT_EQ(standstill.time_left(kEdge, rollout(1, 2), kAfter, start + seconds{600}), seconds{0});
}

TEST(Stall, IsPutOffByEveryStep) {
  Standstill standstill;
  const SteadyTime start{};
  (void)standstill.time_left(kEdge, rollout(1, 2), kAfter, start);
  EXPECT_EQ(standstill.time_left(kEdge, rollout(1, 3), kAfter, start + seconds{599}), kAfter);
  EXPECT_EQ(standstill.time_left(kEdge, rollout(2, 2), kAfter, start + seconds{1198}), kAfter);
}

TEST(Stall, IsNotPutOffByPodsThatAreReadyForAMoment) {
  Standstill standstill;
  const SteadyTime start{};
  auto flapping = rollout(1, 2);
  for (int i = 0; i < 600; i += 60) {
    flapping.ready = i % 120 == 0 ? 3 : 2;
    (void)standstill.time_left(kEdge, flapping, kAfter, start + seconds{i});
  }
  EXPECT_EQ(standstill.time_left(kEdge, flapping, kAfter, start + seconds{600}), seconds{0});
}

TEST(Stall, BeginsAnewWithAnotherSpec) {
  Standstill standstill;
  const SteadyTime start{};
  (void)standstill.time_left(kEdge, rollout(1, 2), kAfter, start);
  auto next = rollout(1, 2);
  next.generation = 2;
  EXPECT_EQ(standstill.time_left(kEdge, next, kAfter, start + seconds{700}), kAfter);
}

TEST(Stall, IsOfOneRelayAlone) {
  Standstill standstill;
  const SteadyTime start{};
  (void)standstill.time_left(kEdge, rollout(1, 2), kAfter, start);
  EXPECT_EQ(standstill.time_left({"mail", "other"}, rollout(1, 2), kAfter, start + seconds{700}), kAfter);
  standstill.forget(kEdge);
  EXPECT_EQ(standstill.time_left(kEdge, rollout(1, 2), kAfter, start + seconds{700}), kAfter);
}

TEST(Stall, IsRememberedByTheStatusUntilSomethingMoves) {
  api::SmtpRelay relay;
  relay.generation = 3;
  EXPECT_FALSE(is_known_to_be_stalled(relay, rollout(1, 2)));
  relay.status.conditions = {{"Progressing", "False", "RolloutStalled", "", 3, ""}};
  relay.status.desired_nodes = 3;
  relay.status.updated_nodes = 1;
  relay.status.available_nodes = 2;
  EXPECT_TRUE(is_known_to_be_stalled(relay, rollout(1, 2)));
  EXPECT_FALSE(is_known_to_be_stalled(relay, rollout(1, 3)));
  relay.generation = 4;
  EXPECT_FALSE(is_known_to_be_stalled(relay, rollout(1, 2))) << "of another spec nothing is known";
}

}  // namespace
}  // namespace op::smtp_relay
