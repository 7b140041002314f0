#include "operator/relay/cordon.hpp"

#include <gmock/gmock.h>

#include "operator/resources/names.hpp"
#include "tests/unit/operator/relay/example.hpp"

namespace op::smtp_relay {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::SizeIs;

using Sight = Cordons::Sight;
const std::string kAnnotation{resources::kCordonedAnnotation};

Node node(const std::string& name, std::vector<Taint> taints = {}) {
  Node made;
  made.name = name;
  made.taints = std::move(taints);
  return made;
}

Node cordoned(const std::string& name) {
  auto made = node(name);
  made.is_unschedulable = true;
  return made;
}

TEST(CordonOf, ANodeIsOfOneThatIsUnschedulableOrTakenAway) {
  EXPECT_EQ(cordon_of(node("a")), std::nullopt);
  EXPECT_EQ(cordon_of(cordoned("a")), "unschedulable");
  EXPECT_EQ(cordon_of(node("a", {{"node.kubernetes.io/unschedulable", "", "NoSchedule"}})), "unschedulable");
  for (const auto* key :
       {"ToBeDeletedByClusterAutoscaler", "karpenter.sh/disrupted", "karpenter.sh/disruption"})
    EXPECT_EQ(cordon_of(node("a", {{"dedicated", "mail", "NoSchedule"}, {key, "", "NoSchedule"}})), key);
}

TEST(CordonOf, ANodeSaysWhoTakesItAwayRatherThanThatItIsUnschedulable) {
  auto both = cordoned("a");
  both.taints = {{"ToBeDeletedByClusterAutoscaler", "1769860800", "NoSchedule"}};
  EXPECT_EQ(cordon_of(both), "ToBeDeletedByClusterAutoscaler");
}

TEST(CordonOf, ANodeIsNoneForACandidateOrAnyOtherTaint) {
  EXPECT_EQ(
    cordon_of(node(
      "a",
      {{"DeletionCandidateOfClusterAutoscaler", "", "PreferNoSchedule"}, {"dedicated", "mail", "NoExecute"}}
    )),
    std::nullopt
  );
}

class CordonTest : public ::testing::Test {
 protected:
  CordonTest() {
    world.daemon_set = Json{{"metadata", {{"uid", "d-1"}}}};
    sees({node("node-1"), cordoned("node-2")});
  }
  void sees(const std::vector<Node>& all, const std::string& unreadable = "") {
    auto nodes = std::make_shared<Nodes>();
    nodes->is_listed = true;
    nodes->unreadable = unreadable;
    for (const auto& each : all) nodes->by_name[each.name] = std::make_shared<const Node>(each);
    world.nodes = std::move(nodes);
  }
  Json& pod(const std::string& name, const std::string& on, const std::string& says = "") {
    Json made{
      {"metadata",
       {{"namespace", "mail"},
        {"name", name},
        {"uid", "uid-of-" + name},
        {"ownerReferences", Json::array({{{"kind", "DaemonSet"}, {"uid", "d-1"}, {"controller", true}}})}}},
      {"spec", {{"nodeName", on}}},
    };
    if (!says.empty()) made["metadata"]["annotations"][kAnnotation] = says;
    return world.pods.emplace_back(std::move(made));
  }
  [[nodiscard]] std::vector<std::pair<std::string, std::string>> due() const {
    std::vector<std::pair<std::string, std::string>> all;
    for (const auto& mark : marks_due(world, cordons_of(world)))
      all.emplace_back(kube::key_of(mark.pod).name, mark.why);
    return all;
  }
  World world = example();
};

TEST_F(CordonTest, IsToldToThePodsOfTheNodeAndToNoOthers) {
  pod("edge-1", "node-1");
  pod("edge-2", "node-2");
  EXPECT_THAT(due(), ElementsAre(Pair("edge-2", "unschedulable")));
  EXPECT_THAT(cordons_of(world).nodes, ElementsAre(Pair("node-2", "unschedulable")));
}

TEST_F(CordonTest, IsToldOnce) {
  pod("edge-1", "node-1");
  pod("edge-2", "node-2", "unschedulable");
  EXPECT_THAT(due(), IsEmpty());
}

TEST_F(CordonTest, ThatEndsTakesTheMarkAway) {
  pod("edge-1", "node-1", "unschedulable");
  EXPECT_THAT(due(), ElementsAre(Pair("edge-1", "")));
  const auto patch = marking(marks_due(world, cordons_of(world)).at(0));
  EXPECT_TRUE(patch["metadata"]["annotations"].at(kAnnotation).is_null());
  EXPECT_EQ(patch["metadata"]["uid"], "uid-of-edge-1") << "no other pod of its name";
}

TEST_F(CordonTest, ForAnotherReasonIsToldAnew) {
  pod("edge-2", "node-2", "ToBeDeletedByClusterAutoscaler");
  EXPECT_THAT(due(), ElementsAre(Pair("edge-2", "unschedulable")));
}

TEST_F(CordonTest, LeavesPodsAloneThatGoOrAreSomebodyElses) {
  pod("edge-1", "node-2")["metadata"]["deletionTimestamp"] = "2026-01-31T12:00:00Z";
  pod("edge-2", "node-2")["metadata"]["ownerReferences"][0]["uid"] = "d-0";
  EXPECT_THAT(due(), IsEmpty());
  EXPECT_THAT(cordons_of(world).nodes, IsEmpty());
  world.daemon_set.reset();
  pod("edge-3", "node-2");
  EXPECT_THAT(due(), IsEmpty());
}

TEST_F(CordonTest, LeavesAMarkAloneWhoseNodeIsNotKnown) {
  pod("edge-3", "node-3", "unschedulable");
  pod("edge-4", "");
  EXPECT_THAT(due(), IsEmpty());
}

TEST_F(CordonTest, ChangesNothingWhileNodesCannotBeSeen) {
  pod("edge-1", "node-1", "unschedulable");
  pod("edge-2", "node-2");
  sees({node("node-1"), cordoned("node-2")}, "no right to watch nodes");
  EXPECT_EQ(cordons_of(world).sight, Sight::forbidden);
  EXPECT_THAT(due(), IsEmpty());
  world.nodes = std::make_shared<const Nodes>();
  EXPECT_EQ(cordons_of(world).sight, Sight::pending);
  EXPECT_THAT(due(), IsEmpty());
}

TEST_F(CordonTest, IsForgottenByARelayThatShouldNotHeedIt) {
  pod("edge-1", "node-1");
  pod("edge-2", "node-2", "unschedulable");
  world.relay.spec.cordon_aware = false;
  EXPECT_EQ(cordons_of(world).sight, Sight::off);
  EXPECT_THAT(due(), ElementsAre(Pair("edge-2", "")));
  sees({}, "no right to watch nodes");
  EXPECT_THAT(due(), ElementsAre(Pair("edge-2", ""))) << "also where nodes can't be seen";
}

TEST_F(CordonTest, IsNothingThatARolloutWaitsFor) {
  Rollout rollout;
  rollout.exists = rollout.is_observed = true;
  rollout.desired = rollout.updated = 3;
  rollout.available = 2;
  EXPECT_FALSE(has_rolled_out(rollout, {}));
  Cordons one{Sight::clear, {{"node-2", "unschedulable"}}};
  EXPECT_TRUE(has_rolled_out(rollout, one));
  rollout.available = 1;
  EXPECT_FALSE(has_rolled_out(rollout, one)) << "another node is missing too";
  rollout.available = 2;
  rollout.updated = 2;
  EXPECT_FALSE(has_rolled_out(rollout, one)) << "a pod is still to be replaced";
}

TEST_F(CordonTest, ExcusesNoOtherNodeWhileItsOwnPodStillTakesMail) {
  Rollout rollout;
  rollout.exists = rollout.is_observed = true;
  rollout.desired = rollout.updated = 3;
  rollout.available = 2;
  pod("edge-1", "node-1")["status"] = {{"reason", "CrashLoopBackOff"}, {"message", ""}};
  pod("edge-2", "node-2", "unschedulable");
  EXPECT_FALSE(has_rolled_out(rollout, cordons_of(world)))
    << "node-1 is missing, and node-2 is counted already";
  world.pods[1]["status"] = {{"reason", "NotReady"}, {"message", ""}};
  rollout.available = 1;
  EXPECT_FALSE(has_rolled_out(rollout, cordons_of(world))) << "node-1 is still missing";
  rollout.available = 2;
  EXPECT_TRUE(has_rolled_out(rollout, cordons_of(world))) << "node-1 has come";
}

TEST_F(CordonTest, IsWhyARelayOfTheNodeIsNotReady) {
  auto& drained = pod("edge-2", "node-2", "unschedulable");
  drained["status"] = {{"reason", "NotReady"}, {"message", "containers with unready status: [relay]"}};
  auto& broken = pod("edge-1", "node-1");
  broken["status"] = {{"reason", "NotReady"}, {"message", ""}};
  const auto troubles = make_plan(world, kDefaults).troubles;
  ASSERT_THAT(troubles, SizeIs(2));
  EXPECT_EQ(troubles[0].reason, "NotReady");
  EXPECT_EQ(troubles[1], (Trouble{"node-2", "Cordoned", "its node is: unschedulable"}));
}

}  // namespace
}  // namespace op::smtp_relay
