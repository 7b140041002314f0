#include "operator/relay/degraded.hpp"

#include <gmock/gmock.h>

#include "operator/relay/status.hpp"
#include "tests/unit/operator/relay/example.hpp"

namespace op::smtp_relay {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr relay::WallTime kNoon{std::chrono::seconds{1'769'860'800}};
const Trouble kCrashing{"node2", "CrashLoopBackOff", "exit 1"};
const Trouble kStarting{"node2", "ContainerCreating", ""};

/// Publishes one status after the other, as a reconcile does.
class DegradedTest : public ::testing::Test {
 protected:
  DegradedTest() { world.relay.status = first_status(world.relay, kNoon); }
  void roll_out(int desired, int updated, int available) {
    daemon_set = Json{
      {"metadata", {{"generation", 1}}},
      {"status",
       {{"observedGeneration", 1},
        {"desiredNumberScheduled", desired},
        {"updatedNumberScheduled", updated},
        {"numberAvailable", available}}},
    };
  }
  /// The condition after the next reconcile, `True PodsNotAvailable`.
  std::string next() {
    auto plan = make_plan(world, kDefaults);
    plan.troubles = troubles;
    for (const auto& trouble : troubles) {
      if (trouble.reason == kCordoned) plan.cordons.nodes[trouble.node] = trouble.message;
    }
    plan.is_stalled = is_stalled;
    plan.refused_pods = refused_pods;
    plan.optional.lost = lost;
    world.relay.status = next_status(world.relay, plan, daemon_set, kNoon);
    const auto* said = world.relay.status.find("Degraded");
    message = said->message;
    return said->status + " " + said->reason;
  }
  World world = example();
  std::optional<Json> daemon_set;
  std::vector<Trouble> troubles;
  bool is_stalled = false;
  std::string refused_pods;
  std::vector<std::string> lost;
  std::string message;
};

TEST_F(DegradedTest, IsUnknownBeforeTheFirstLook) {
  EXPECT_EQ(world.relay.status.find("Degraded")->reason, "Pending");
}

TEST_F(DegradedTest, IsNoRelayThatIsOnlyJustMadeOrRolledOut) {
  EXPECT_EQ(next(), "False AsExpected");
  troubles = {kStarting};
  roll_out(3, 3, 0);
  EXPECT_EQ(next(), "False AsExpected");
  troubles = {{"node2", "NotReady", ""}};
  roll_out(3, 3, 2);
  EXPECT_EQ(next(), "False AsExpected");
  troubles.clear();
  roll_out(3, 3, 3);
  EXPECT_EQ(next(), "False AsExpected");
  roll_out(3, 1, 2);
  troubles = {{"node2", "Terminating", ""}};
  EXPECT_EQ(next(), "False AsExpected") << "a node of a rolling update";
  roll_out(3, 3, 2);
  EXPECT_EQ(next(), "False AsExpected") << "its last one";
}

TEST_F(DegradedTest, IsARelayWhosePodsAreInTrouble) {
  roll_out(3, 1, 2);
  troubles = {kCrashing};
  EXPECT_EQ(next(), "True PodsNotAvailable");
  EXPECT_EQ(
    message,
    "Ready: 2 of 3 nodes take mail; node2: CrashLoopBackOff (exit 1); see kubectl -n mail describe pods -l "
    "app.kubernetes.io/instance=edge"
  );
}

TEST_F(DegradedTest, StaysSoWhileACrashingPodStartsOverAndOver) {
  roll_out(3, 1, 2);
  troubles = {kCrashing};
  EXPECT_EQ(next(), "True PodsNotAvailable");
  troubles = {{"node2", "NotReady", ""}};
  EXPECT_EQ(next(), "True PodsNotAvailable");
  troubles.clear();
  roll_out(3, 3, 3);
  EXPECT_EQ(next(), "False AsExpected");
}

TEST_F(DegradedTest, IsARelayThatLosesANode) {
  roll_out(3, 3, 3);
  EXPECT_EQ(next(), "False AsExpected");
  roll_out(3, 3, 2);
  troubles = {{"node2", "NotReady", ""}};
  EXPECT_EQ(next(), "True PodsNotAvailable");
  roll_out(3, 1, 2);
  EXPECT_EQ(next(), "True PodsNotAvailable") << "a rollout does not bring it back";
  roll_out(3, 3, 3);
  EXPECT_EQ(next(), "False AsExpected");
  roll_out(4, 4, 3);
  EXPECT_EQ(next(), "False AsExpected") << "a node more is none that was lost";
}

TEST_F(DegradedTest, IsNoRelayThatDrainsOnACordonedNode) {
  roll_out(3, 3, 3);
  EXPECT_EQ(next(), "False AsExpected");
  roll_out(3, 3, 2);
  troubles = {{"node2", "Cordoned", "its node is: unschedulable"}};
  EXPECT_EQ(next(), "False AsExpected");
  roll_out(3, 3, 1);
  troubles.push_back({"node3", "NotReady", ""});
  EXPECT_EQ(next(), "True PodsNotAvailable") << "another one is lost";
}

TEST_F(DegradedTest, IsARelayThatLacksAChildThoughItsMailFlows) {
  roll_out(3, 3, 3);
  lost = {"spec.networkPolicy: PATCH ...: 500", "spec.metrics.rules: no such kind"};
  EXPECT_EQ(next(), "True OptionalChildMissing");
  EXPECT_EQ(
    message, "Progressing: spec.networkPolicy: PATCH ...: 500; Progressing: spec.metrics.rules: no such kind"
  );
  roll_out(3, 1, 2);
  troubles = {kCrashing};
  EXPECT_EQ(next(), "True PodsNotAvailable") << "that is graver";
  EXPECT_THAT(message, HasSubstr("spec.networkPolicy"));
}

TEST_F(DegradedTest, IsARelayWhoseSpecIsNotInForce) {
  roll_out(3, 3, 3);
  world.relay.spec.max_message_size = "1Ki";
  EXPECT_EQ(next(), "True InvalidSettings");
  EXPECT_THAT(message, HasSubstr("ConfigValid: spec.limits.maxMessageSize"));
  world.relay.spec.max_message_size = "25Mi";
  secret_of(world) = {};
  EXPECT_EQ(next(), "True SecretNotFound");
  secret_of(world).unreadable = "secrets is forbidden";
  EXPECT_EQ(next(), "True Forbidden");
}

TEST_F(DegradedTest, IsARelayThatMayNotBeMade) {
  world.daemon_set = Json{
    {"metadata",
     {{"ownerReferences",
       Json::array({{{"kind", "Other"}, {"name", "x"}, {"uid", "u-2"}, {"controller", true}}})}}}
  };
  EXPECT_EQ(next(), "True NameConflict");
  world.daemon_set.reset();
  roll_out(0, 0, 0);
  EXPECT_EQ(next(), "True NoNodes");
}

TEST_F(DegradedTest, IsARelayWhoseRolloutStandsStill) {
  roll_out(3, 1, 2);
  is_stalled = true;
  EXPECT_EQ(next(), "True RolloutStalled");
  EXPECT_THAT(message, HasSubstr("Progressing: 1 of 3 nodes up to date"));
}

TEST_F(DegradedTest, HasTheReasonOfTheGravestFaultAndTheWordsOfAll) {
  roll_out(3, 1, 1);
  secret_of(world) = {};
  world.pod_security.level = "baseline";
  troubles = {kCrashing};
  refused_pods = "exceeded quota";
  EXPECT_EQ(next(), "True SecretNotFound");
  for (const auto* words :
       {"SecretsResolved: Secret mail/credentials", "; PodSecurityAllowed: namespace mail",
        "; DaemonSet: the API server refuses pods: exceeded quota", "; Ready: 1 of 3 nodes"})
    EXPECT_THAT(message, HasSubstr(words));
}

TEST_F(DegradedTest, IsNoRelayThatIsPausedOrThatTheOperatorMayNotLookInto) {
  roll_out(3, 3, 3);
  world.relay.spec.management_state = "Paused";
  world.pod_security.unreadable = "namespaces is forbidden";
  EXPECT_EQ(next(), "False AsExpected");
  troubles = {kCrashing};
  roll_out(3, 3, 2);
  EXPECT_EQ(next(), "True PodsNotAvailable") << "its pods go on";
  EXPECT_THAT(message, Not(HasSubstr("Paused")));
}

}  // namespace
}  // namespace op::smtp_relay
