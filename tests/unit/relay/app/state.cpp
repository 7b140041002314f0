#include "relay/app/state.hpp"

#include <gtest/gtest.h>

namespace relay::app {
namespace {

TEST(State, IsUnreadyUntilItRuns) {
  State state;
  EXPECT_EQ(state.unready_reason(), "starting");
  state.set_starting("waiting for the spool");
  EXPECT_EQ(state.unready_reason(), "waiting for the spool");
  state.set_running();
  EXPECT_EQ(state.unready_reason(), std::nullopt);
  EXPECT_FALSE(state.is_drained());
}

TEST(State, IsDrainedWhileItsNodeIsCordonedAndSaysWhy) {
  State state;
  state.set_running();
  state.set_cordoned("unschedulable");
  EXPECT_TRUE(state.is_cordoned());
  EXPECT_TRUE(state.is_drained());
  EXPECT_EQ(state.unready_reason(), "drained while its node is cordoned (unschedulable)");
  state.set_cordoned("karpenter.sh/disrupted");
  EXPECT_EQ(state.unready_reason(), "drained while its node is cordoned (karpenter.sh/disrupted)");
  state.set_cordoned(std::nullopt);
  EXPECT_FALSE(state.is_cordoned());
  EXPECT_FALSE(state.is_drained());
  EXPECT_EQ(state.unready_reason(), std::nullopt);
}

TEST(State, StaysDrainedUntilEveryoneWhoDrainedItHasLetGo) {
  State state;
  state.set_running();
  state.set_cordoned("unschedulable");
  state.set_drained_by_annotation(true);
  state.set_drained_by_admin(true);
  EXPECT_EQ(state.unready_reason(), "drained by relayctl, until relayctl resume");
  state.set_drained_by_admin(false);
  EXPECT_EQ(state.unready_reason(), "drained by the pod's annotation smtp.buildinglink.com/drain");
  state.set_cordoned(std::nullopt);
  EXPECT_TRUE(state.is_drained());
  state.set_drained_by_annotation(false);
  EXPECT_FALSE(state.is_drained());
}

TEST(State, SaysThatItStopsBeforeAllElse) {
  State state;
  state.set_running();
  state.set_cordoned("unschedulable");
  state.set_stopping();
  EXPECT_EQ(state.unready_reason(), "stopping");
}

}  // namespace
}  // namespace relay::app
