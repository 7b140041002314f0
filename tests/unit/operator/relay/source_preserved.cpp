#include "operator/relay/source_preserved.hpp"

#include <gmock/gmock.h>

#include "tests/unit/operator/relay/example.hpp"

namespace op::smtp_relay {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class SourceAddressPreservedTest : public ::testing::Test {
 protected:
  SourceAddressPreservedTest() {
    nodes->is_listed = true;
    Node node;
    node.name = "node-2";
    node.addresses.own = {*relay::Cidr::parse("10.1.40.12")};
    node.addresses.gateways = {*relay::Cidr::parse("10.140.2.0/31")};
    nodes->by_name.emplace("node-2", std::make_shared<const Node>(node));
    world.nodes = nodes;
  }
  void says(const std::string& node, bool own, const std::vector<std::string>& hidden = {}) {
    SourceReport report{node, "p-" + node, true, own};
    for (const auto& address : hidden) report.hidden.push_back(*relay::IpAddress::parse(address));
    world.source_reports.push_back(report);
  }
  [[nodiscard]] SourceVerdict verdict() const { return source_address_preserved(source_sight_of(world)); }

  std::shared_ptr<Nodes> nodes = std::make_shared<Nodes>();
  World world = example();
};

TEST_F(SourceAddressPreservedTest, IsUnknownUntilAClientHasComeWithAnAddressOfItsOwn) {
  EXPECT_EQ(verdict().status, "Unknown");
  EXPECT_EQ(verdict().reason, "Pending");
  world.source_reports.push_back({"node-1", "p-1"});
  EXPECT_EQ(verdict().reason, "Pending") << "it did not answer";
  says("node-2", false);
  EXPECT_EQ(verdict().status, "Unknown") << "that nobody came proves nothing";
  EXPECT_EQ(verdict().reason, "NoClients");
  says("node-3", true);
  EXPECT_EQ(verdict().status, "True");
  EXPECT_EQ(verdict().reason, "Preserved");
}

TEST_F(SourceAddressPreservedTest, IsFalseWhereClientsAreHiddenAndSaysBehindWhatAndWhatToDo) {
  says("node-1", true, {"10.1.40.12", "192.0.2.7"});
  says("node-2", true, {"10.140.2.1"});
  says("node-3", true);
  EXPECT_EQ(verdict().status, "False");
  EXPECT_EQ(verdict().reason, "ClientsHidden");
  EXPECT_THAT(
    verdict().message,
    HasSubstr(
      "they come on node-1 from 10.1.40.12 (node-2), 192.0.2.7, on node-2 from 10.140.2.1 (gateway of "
      "node-2's pods); their mail is refused"
    )
  );
  for (const auto* remedy : {"load balancer with SNAT", "PROXY protocol", "access.allowedNetworks"})
    EXPECT_THAT(verdict().message, HasSubstr(remedy));
}

TEST_F(SourceAddressPreservedTest, NamesTheFirstOfManyNodes) {
  for (int i = 10; i < 25; ++i) says("node-" + std::to_string(i), false, {"192.0.2.7"});
  EXPECT_THAT(verdict().message, HasSubstr("on node-19 from 192.0.2.7 and 5 more;"));
}

TEST_F(SourceAddressPreservedTest, IsUnknownWhereNodesMayNotBeSeenUnlessClientsAreHidden) {
  nodes->unreadable = "no right to list nodes";
  says("node-1", true);
  EXPECT_EQ(verdict().status, "Unknown");
  EXPECT_EQ(verdict().reason, "Forbidden");
  EXPECT_THAT(verdict().message, HasSubstr("grant list and watch on nodes (chart: rbac.nodes)"));
  says("node-2", true, {"10.140.2.1"});
  EXPECT_EQ(verdict().status, "False");
}

TEST_F(SourceAddressPreservedTest, SaysThatPodsOfAFormerOperatorKnowLess) {
  says("node-1", true);
  EXPECT_THAT(verdict().message, Not(HasSubstr("former")));
  world.daemon_set = Json{{"spec", {{"template", {{"spec", {{"volumes", Json::array()}}}}}}}};
  EXPECT_EQ(verdict().status, "True");
  EXPECT_THAT(
    verdict().message,
    HasSubstr("pods that were made by a former operator know the addresses of their own node")
  );
}

}  // namespace
}  // namespace op::smtp_relay
