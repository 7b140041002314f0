#include "operator/resources/service.hpp"

#include <gtest/gtest.h>

#include "operator/resources/pod_template.hpp"
#include "operator/resources/service_account.hpp"

namespace op::resources {
namespace {

class ServiceTest : public ::testing::Test {
 protected:
  ServiceTest() {
    relay.name = "edge";
    relay.name_space = "mail";
  }
  [[nodiscard]] Json pod() const { return pod_template({relay, "image:1", "/srv", ""})["spec"]; }
  [[nodiscard]] Json ports_of_nodes() const {
    auto found = Json::array();
    const auto whole = pod();
    for (const auto& port : whole["containers"][0]["ports"]) {
      if (port.contains("hostPort")) found.push_back(port);
    }
    return found;
  }
  api::SmtpRelay relay;
};

TEST_F(ServiceTest, LeadsToThePodsOfItsRelayByTheNameOfTheirPort) {
  relay.spec.port = 26;
  const auto made = service(relay)["spec"];
  EXPECT_EQ(made["selector"], selector_labels(relay));
  EXPECT_EQ(made["ports"][0]["port"], 26);
  EXPECT_EQ(made["ports"][0]["name"], "tcp-smtp");
  const auto whole = pod();
  EXPECT_EQ(made["ports"][0]["targetPort"], whole["containers"][0]["ports"][0]["name"]);
}

TEST_F(ServiceTest, HasAPortForEachListenerAndSoHaveNodesAndPods) {
  relay.spec.listeners = {{"submissions", 465, "Implicit"}, {"other", 587}};
  const auto ports = service(relay)["spec"]["ports"];
  ASSERT_EQ(ports.size(), 3U);
  EXPECT_EQ(
    ports[1],
    (Json{{"name", "tcp-submissions"}, {"port", 465}, {"protocol", "TCP"}, {"targetPort", "tcp-submissions"}})
  );
  const auto nodes = ports_of_nodes();
  ASSERT_EQ(nodes.size(), 4U);
  EXPECT_EQ(nodes[2]["name"], "tcp-submissions");
  EXPECT_EQ(nodes[2]["hostPort"], 465);
  EXPECT_EQ(nodes[2]["containerPort"], 2526) << "who runs without privilege listens where it may";
  EXPECT_EQ(nodes[3]["containerPort"], 2527);
  relay.spec.network_mode = "ClusterOnly";
  EXPECT_TRUE(ports_of_nodes().empty());
}

TEST_F(ServiceTest, KeepsClientsOnTheirNodeUnlessToldOtherwise) {
  EXPECT_EQ(service(relay)["spec"]["internalTrafficPolicy"], "Local");
  relay.spec.service_internal_traffic = "Cluster";
  EXPECT_EQ(service(relay)["spec"]["internalTrafficPolicy"], "Cluster");
}

TEST_F(ServiceTest, SaysNothingOfWhatTheServerAssigns) {
  const auto made = service(relay)["spec"];
  for (const auto* field : kAssignedToServices) EXPECT_FALSE(made.contains(field)) << field;
}

TEST_F(ServiceTest, IsNotWantedWhereTheUserSaysNone) {
  EXPECT_TRUE(wants_service(relay.spec));
  relay.spec.service_type = "None";
  EXPECT_FALSE(wants_service(relay.spec));
}

TEST_F(ServiceTest, IsTheOnlyWayWhereNoPortOfTheNodesIsTaken) {
  EXPECT_EQ(ports_of_nodes().size(), 2U);
  relay.spec.network_mode = "ClusterOnly";
  EXPECT_TRUE(ports_of_nodes().empty()) << "that of /health neither";
}

TEST_F(ServiceTest, LeavesPortsOfNodesToOneAddressOfThem) {
  EXPECT_FALSE(ports_of_nodes()[0].contains("hostIP"));
  relay.spec.host_ip = "192.0.2.10";
  for (const auto& port : ports_of_nodes()) EXPECT_EQ(port["hostIP"], "192.0.2.10");
}

TEST_F(ServiceTest, NeedsNoServiceAccountOfItsOwnWhereTheUserNamesOne) {
  EXPECT_EQ(pod()["serviceAccountName"], "edge-smtp-relay");
  EXPECT_TRUE(wants_service_account(relay));
  relay.spec.service_account_name = "mail";
  EXPECT_EQ(pod()["serviceAccountName"], "mail");
  EXPECT_EQ(pod()["automountServiceAccountToken"], false);
  EXPECT_FALSE(wants_service_account(relay));
  relay.spec.service_account_name = "edge-smtp-relay";
  EXPECT_TRUE(wants_service_account(relay)) << "named, but ours";
}

}  // namespace
}  // namespace op::resources
