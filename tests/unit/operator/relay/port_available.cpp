#include "operator/relay/port_available.hpp"

#include <gmock/gmock.h>

#include "operator/relay/plan.hpp"
#include "tests/unit/operator/relay/claimants.hpp"
#include "tests/unit/operator/relay/example.hpp"

namespace op::smtp_relay {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

const Key kRival{"mail", "first"};

class PortAvailableTest : public ::testing::Test {
 protected:
  PortAvailableTest() {
    world.nodes = std::make_shared<const Nodes>(some_nodes(3));
    world.ports = {true, 3, {}, {}};
  }
  void loses(const std::string& node, const HostPort& port = tcp(25), const Key& rival = kRival) {
    world.ports.lost.push_back({node, rival, port});
  }
  void may_not_read() {
    Nodes nodes;
    nodes.unreadable = "nodes is forbidden";
    world.nodes = std::make_shared<const Nodes>(nodes);
  }
  static Trouble waits_for_a_port(const std::string& node) {
    return {
      node, "Unschedulable",
      "0/3 nodes are available: 1 node(s) didn't have free ports for the requested pod ports"
    };
  }
  [[nodiscard]] PortAnswer answer(const std::vector<Trouble>& troubles = {}) const {
    return port_available(world.relay.spec, ports_of(world), troubles);
  }
  void says(
    const PortAnswer& said, const std::string& status, const std::string& reason,
    const std::string& message = ""
  ) {
    EXPECT_EQ(said.status, status);
    EXPECT_EQ(said.reason, reason);
    EXPECT_THAT(said.message, HasSubstr(message));
  }
  /// The DaemonSet is as the plan has it.
  void apply() {
    for (const auto& child : make_plan(world, kDefaults).apply) {
      if (child.resource.kind == "DaemonSet") world.daemon_set = child.desired;
    }
  }
  World world = example();
};

TEST_F(PortAvailableTest, HoldsWhereNobodyElseWantsThePorts) { says(answer(), "True", "NoConflict"); }

TEST_F(PortAvailableTest, NeedsNoPortWhereOnlyTheServiceLeadsToTheRelay) {
  world.relay.spec.network_mode = "ClusterOnly";
  may_not_read();
  says(answer(), "True", "NotNeeded");
}

TEST_F(PortAvailableTest, SaysWhoHasWhichPortOnHowManyNodesAndWhatToDo) {
  loses("node1");
  loses("node2");
  loses("node3", tcp(8025, "192.0.2.1"), {"other", "edge"});
  says(answer(), "False", "PortTaken");
  EXPECT_EQ(
    answer().message,
    "3 of 3 nodes left to others: SmtpRelay mail/first has port 25 of node1, node2; SmtpRelay other/edge has "
    "port "
    "8025 at 192.0.2.1 of node3; give one of them another port, another hostIP or other nodes, or delete it"
  );
}

TEST_F(PortAvailableTest, NamesFiveNodesAndCountsTheOthers) {
  world.ports.nodes = 9;
  for (int number = 1; number < 9; ++number) loses("node" + std::to_string(number));
  says(answer(), "False", "PortTaken", "8 of 9 nodes");
  says(answer(), "False", "PortTaken", "node4, node5 and 3 more;");
}

TEST_F(PortAvailableTest, TellsOfAPortThatAPodOfSomebodyElseHas) {
  const auto said = answer({waits_for_a_port("node2"), {"node3", "ImagePullBackOff", ""}});
  says(said, "False", "PortTaken", "a pod waits on 1 node for a port that another pod has: node2");
  says(said, "False", "PortTaken", "--field-selector spec.nodeName=node2");
}

TEST_F(PortAvailableTest, TellsNothingTwiceOfANodeThatIsLeftToAnother) {
  loses("node2");
  EXPECT_EQ(answer({waits_for_a_port("node2")}).message.find("another pod has"), std::string::npos);
}

TEST_F(PortAvailableTest, IsUnknownWithoutTheRightToReadNodes) {
  may_not_read();
  says(answer(), "Unknown", "Forbidden", "nodes is forbidden; grant list and watch on nodes");
  says(answer({waits_for_a_port("node2")}), "False", "PortTaken", "node2");
  world.nodes = std::make_shared<const Nodes>();
  says(answer(), "Unknown", "Pending");
}

TEST_F(PortAvailableTest, LeavesWhatIsLeftOutAsItIsWhileTheNodesAreUnknown) {
  loses("node2");
  EXPECT_THAT(ports_of(world).exclusions.nodes, ElementsAre("node2"));
  apply();
  EXPECT_THAT(live_exclusions(world).nodes, ElementsAre("node2"));
  world.ports = {};
  EXPECT_THAT(ports_of(world).exclusions.nodes, ElementsAre("node2")) << "nobody has judged";
  may_not_read();
  EXPECT_THAT(ports_of(world).exclusions.nodes, ElementsAre("node2"));
  world.relay.spec.network_mode = "ClusterOnly";
  EXPECT_EQ(ports_of(world).exclusions, resources::Exclusions{});
}

TEST_F(PortAvailableTest, LeavesNoMoreNodesOutByNameThanADaemonSetBears) {
  world.ports.nodes = kMostExclusions + 2;
  for (std::size_t number = 0; number < kMostExclusions; ++number) loses("n" + std::to_string(number));
  EXPECT_FALSE(ports_of(world).are_too_many);
  loses("one-more");
  EXPECT_TRUE(ports_of(world).are_too_many);
  says(
    answer(), "False", "PortTaken", "nothing is applied, as more than 1000 nodes can't be left out by name"
  );
  loses("the-last");
  EXPECT_FALSE(ports_of(world).are_too_many) << "all of them are left out by one word";
}

}  // namespace
}  // namespace op::smtp_relay
