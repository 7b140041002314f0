#include "operator/relay/flush_time.hpp"

#include <gtest/gtest.h>

#include "operator/resources/names.hpp"
#include "tests/unit/operator/relay/example.hpp"

namespace op::smtp_relay {
namespace {

const Json::json_pointer kTemplate("/spec/template");
const Json::json_pointer kGrace("/spec/template/spec/terminationGracePeriodSeconds");

class FlushTimeTest : public ::testing::Test {
 protected:
  /// The DaemonSet as an operator made it whose relays did not flush.
  void SetUp() override {
    world.daemon_set = wanted();
    auto& made = world.daemon_set->at(kTemplate);
    ASSERT_EQ(made["metadata"]["annotations"].erase(std::string(resources::kFlushAnnotation)), 1U);
    world.daemon_set->at(kGrace) = 55;
  }
  [[nodiscard]] Json wanted() const {
    for (const auto& child : make_plan(world, kDefaults).apply) {
      if (child.resource.kind == "DaemonSet") return child.desired;
    }
    return {};
  }
  [[nodiscard]] bool leaves_pods_alone() const {
    return wanted()[kTemplate] == (*world.daemon_set)[kTemplate];
  }
  void take_up_what_is_wanted() { world.daemon_set = wanted(); }

  World world = example();
};

TEST_F(FlushTimeTest, IsNoReasonToReplacePodsOfAFormerOperator) { EXPECT_TRUE(leaves_pods_alone()); }

TEST_F(FlushTimeTest, IsGivenToNewPods) {
  world.daemon_set.reset();
  EXPECT_EQ(wanted()[kGrace], 115);
  take_up_what_is_wanted();
  EXPECT_TRUE(leaves_pods_alone()) << "and stays";
}

TEST_F(FlushTimeTest, ComesWithAnotherImage) {
  world.relay.spec.image = "relay:2";
  EXPECT_EQ(wanted()[kGrace], 115);
}

TEST_F(FlushTimeTest, ComesWhenAPersonAsksForAnother) {
  world.relay.spec.flush_timeout = "2m";
  EXPECT_EQ(wanted()[kGrace], 175);
  take_up_what_is_wanted();
  world.relay.spec.flush_timeout = "60s";
  EXPECT_EQ(wanted()[kGrace], 115);
}

TEST_F(FlushTimeTest, ComesWithOtherDrainTimes) {
  world.relay.spec.lame_duck = "30s";
  EXPECT_EQ(wanted()[kGrace], 125);
}

TEST_F(FlushTimeTest, IsNotTakenAwayByDrainTimesThatHappenToGiveTheOldSum) {
  world.daemon_set.reset();
  take_up_what_is_wanted();
  world.relay.spec.session_timeout = "90s";  // without the flush 115 s too
  EXPECT_EQ(wanted()[kGrace], 175);
}

TEST_F(FlushTimeTest, ComesWhenTheEnvironmentAsksForAnother) {
  environment_of(world).environment = {{"SMTP_RELAY_FLUSH_TIMEOUT", "10s"}};
  EXPECT_EQ(wanted()[kGrace], 65);
}

}  // namespace
}  // namespace op::smtp_relay
