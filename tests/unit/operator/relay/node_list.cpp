#include "operator/relay/node_list.hpp"

#include <gmock/gmock.h>

#include "operator/relay/effective.hpp"
#include "operator/relay/optional_children.hpp"
#include "tests/unit/operator/relay/example.hpp"

namespace op::smtp_relay {
namespace {

using relay::seconds;
using resources::Optional;
using ::testing::IsEmpty;

class NodeListTest : public ::testing::Test {
 protected:
  NodeListTest() {
    nodes->is_listed = true;
    nodes->hidden_sources = "10.1.40.11\n";
    world.nodes = nodes;
    world.optional[Optional::node_list].presence = Presence::served;
  }
  /// As make_plan() wants it.
  [[nodiscard]] Json daemon_set() const {
    for (const auto& child : make_plan(world, kDefaults).apply) {
      if (child.resource.kind == kube::kDaemonSets.kind) return child.desired;
    }
    ADD_FAILURE() << "no DaemonSet";
    return {};
  }
  [[nodiscard]] bool has_volume() const {
    const auto made = daemon_set();
    for (const auto& volume : made["spec"]["template"]["spec"]["volumes"]) {
      if (volume["name"] == "nodes") return true;
    }
    return false;
  }
  /// As a former operator made it.
  void was_made_without() {
    auto made = daemon_set();
    auto& pod = made["spec"]["template"]["spec"];
    for (auto* list : {&pod["volumes"], &pod["containers"][0]["volumeMounts"]}) {
      auto kept = Json::array();
      for (auto& each : *list) {
        if (each["name"] != "nodes") kept.push_back(each);
      }
      *list = std::move(kept);
    }
    world.daemon_set = std::move(made);
  }
  [[nodiscard]] OptionalPlan optional() const {
    return plan_optional(world, kDefaults, effective_settings(world).settings);
  }

  std::shared_ptr<Nodes> nodes = std::make_shared<Nodes>();
  World world = example();
};

TEST_F(NodeListTest, IsReadByPodsThatAreMadeFromNowOn) {
  EXPECT_TRUE(has_volume());
  world.daemon_set = daemon_set();
  EXPECT_TRUE(has_volume()) << "and goes on to be";
}

TEST_F(NodeListTest, IsNoReasonToReplacePodsOfAFormerOperator) {
  was_made_without();
  EXPECT_FALSE(has_volume());
  EXPECT_EQ(daemon_set()["spec"]["template"], (*world.daemon_set)["spec"]["template"]);
  EXPECT_THAT(optional().apply, IsEmpty()) << "nobody would read it";
  world.relay.spec.image = "relay:2";
  EXPECT_TRUE(has_volume()) << "they are replaced anyway";
  EXPECT_EQ(optional().apply.size(), 1U) << "and find it when they begin";
}

TEST_F(NodeListTest, IsMadeOnceTheNodesAreKnown) {
  const auto plan = optional();
  ASSERT_EQ(plan.apply.size(), 1U);
  EXPECT_EQ(plan.apply[0].second.desired["metadata"]["name"], "edge-smtp-relay-nodes");
  EXPECT_EQ(plan.apply[0].second.desired["data"]["hidden_sources"], "10.1.40.11\n");
  nodes->is_listed = false;
  EXPECT_THAT(optional().apply, IsEmpty());
}

TEST_F(NodeListTest, StaysAsItIsWhereNodesCannotBeSeenAnyMore) {
  nodes->unreadable = "no right to list nodes";
  world.optional[Optional::node_list].live = Json{
    {"metadata",
     {{"ownerReferences", Json::array({{{"uid", "u-1"}, {"controller", true}, {"kind", "SmtpRelay"}}})}}}
  };
  EXPECT_THAT(optional().apply, IsEmpty());
  EXPECT_THAT(optional().remove, IsEmpty());
}

TEST(ListPace, WritesTheFirstAtOnceAndThenTheLastOfWhatComesTogether) {
  const Key edge{"mail", "edge"};
  const runtime::SteadyTime start{std::chrono::hours{1}};
  ListPace pace;
  EXPECT_EQ(pace.time_left(edge, "a", start), seconds{0});
  EXPECT_EQ(pace.time_left(edge, "b", start + seconds{1}), seconds{9});
  EXPECT_EQ(pace.time_left(edge, "c", start + seconds{4}), seconds{6});
  EXPECT_EQ(pace.time_left(edge, "a", start + seconds{5}), seconds{0}) << "it says so already";
  EXPECT_EQ(pace.time_left({"mail", "other"}, "b", start + seconds{5}), seconds{0});
  EXPECT_EQ(pace.time_left(edge, "c", start + seconds{10}), seconds{0});
  EXPECT_EQ(pace.time_left(edge, "d", start + seconds{11}), seconds{9});
  pace.forget(edge);
  EXPECT_EQ(pace.time_left(edge, "d", start + seconds{11}), seconds{0});
}

}  // namespace
}  // namespace op::smtp_relay
