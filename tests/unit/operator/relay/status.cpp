#include "operator/relay/status.hpp"

#include <gmock/gmock.h>

#include "tests/unit/operator/relay/example.hpp"

namespace op::smtp_relay {
namespace {

using ::testing::HasSubstr;

constexpr relay::WallTime kNoon{std::chrono::seconds{1'769'860'800}};

class StatusTest : public ::testing::Test {
 protected:
  void roll_out(int desired, int updated, int available, int observed_generation = 1) {
    daemon_set = Json{
      {"metadata", {{"generation", 1}}},
      {"status",
       {{"observedGeneration", observed_generation},
        {"desiredNumberScheduled", desired},
        {"updatedNumberScheduled", updated},
        {"numberReady", available},
        {"numberAvailable", available}}},
    };
  }
  api::Status next() { return next_status(world.relay, make_plan(world, kDefaults), daemon_set, kNoon); }
  void says(
    std::string_view type, const std::string& status, const std::string& reason,
    const std::string& message = ""
  ) {
    const auto made = next();
    const auto* condition = made.find(type);
    ASSERT_NE(condition, nullptr);
    EXPECT_EQ(condition->status, status);
    EXPECT_EQ(condition->reason, reason);
    EXPECT_THAT(condition->message, HasSubstr(message));
    EXPECT_EQ(condition->observed_generation, 3);
  }
  World world = example();
  std::optional<Json> daemon_set;
};

TEST_F(StatusTest, SaysWhichLineMakesANamespaceTakeRelayPods) {
  world.pod_security.level = "restricted";
  says(
    "PodSecurityAllowed", "False", "LevelTooStrict",
    "run: kubectl label namespace mail pod-security.kubernetes.io/enforce=privileged --overwrite"
  );
  world.pod_security.level = "baseline";
  says("PodSecurityAllowed", "False", "LevelTooStrict", "level 'baseline'");
  world.pod_security.level = "privileged";
  says("PodSecurityAllowed", "True", "Privileged");
  world.pod_security.level = "";
  says("PodSecurityAllowed", "True", "NoLevel");
  world.pod_security.unreadable = "namespaces is forbidden";
  says("PodSecurityAllowed", "Unknown", "Forbidden", "namespaces is forbidden; grant get on namespaces");
}

TEST_F(StatusTest, KeepsWhatRelaysSaidOfTheirClientsUntilTheyAreHeardAgain) {
  says("SourceAddressPreserved", "Unknown", "Pending");
  world.relay.status.conditions = {{"SourceAddressPreserved", "False", "ClientsHidden", "they come on", 2, ""}
  };
  world.source_reports = {{"node-1", "p-1"}};
  says("SourceAddressPreserved", "False", "ClientsHidden", "they come on");
  world.source_reports = {{"node-1", "p-1", true, true}};
  says("SourceAddressPreserved", "True", "Preserved");
  world.source_reports.clear();
  says("SourceAddressPreserved", "Unknown", "Pending", "no relay has said yet");
}

TEST_F(StatusTest, SaysWhichNodesAreCordonedAndWhetherTheirRelaysHeedIt) {
  says("CordonAware", "Unknown", "Pending");
  auto nodes = std::make_shared<Nodes>();
  world.nodes = nodes;
  nodes->is_listed = true;
  says("CordonAware", "True", "NoNodeCordoned");
  auto plan = make_plan(world, kDefaults);
  for (int i = 10; i < 22; ++i) plan.cordons.nodes["node" + std::to_string(i)] = "unschedulable";
  const auto said = [&] { return *next_status(world.relay, plan, daemon_set, kNoon).find("CordonAware"); };
  EXPECT_EQ(said().status, "True");
  EXPECT_EQ(said().reason, "NodesCordoned");
  EXPECT_THAT(said().message, HasSubstr("node10 (unschedulable), node11 (unschedulable)"));
  EXPECT_THAT(said().message, HasSubstr("node19 (unschedulable) and 2 more"));
  plan.cordons.untold = "pods is forbidden";
  EXPECT_EQ(said().status, "False");
  EXPECT_EQ(said().reason, "NotTold");
  EXPECT_THAT(said().message, HasSubstr("pods is forbidden"));
  world.relay.spec.cordon_aware = false;
  says("CordonAware", "False", "Off");
  world.relay.spec.management_state = "Paused";
  says("CordonAware", "False", "Paused");
}

TEST_F(StatusTest, SaysThatNotAllMailLeavesWhichIsNoFault) {
  says("MailLeaves", "True", "Delivered");
  world.relay.spec.mode = "Capture";
  says("MailLeaves", "False", "Captured", "relayctl queue release --state captured");
  says("Degraded", "False", "AsExpected");
  world.relay.spec.mode = "Redirect";
  world.relay.spec.redirect_to = "test@qa.test";
  says("MailLeaves", "False", "Redirected", "all mail goes to test@qa.test instead");
  world.relay.spec.mode = "Allowlist";
  world.relay.spec.allowed = {"*.qa.test"};
  says("MailLeaves", "False", "Allowlisted", "all other is kept on hold");
  world.relay.spec.others = "Reject";
  says("MailLeaves", "False", "Allowlisted", "all other is refused");
  world.relay.spec.management_state = "Paused";
  says("MailLeaves", "Unknown", "NotApplied", "in the mode of before");
}

TEST_F(StatusTest, SaysWhichRightWouldLetItSeeNodes) {
  auto nodes = std::make_shared<Nodes>();
  nodes->unreadable = "no right to list nodes";
  world.nodes = nodes;
  says("CordonAware", "Unknown", "Forbidden", "grant list and watch on nodes (chart: rbac.nodes)");
}

TEST_F(StatusTest, WaitsForNoRelayThatDrainsOnACordonedNode) {
  roll_out(3, 3, 2);
  auto plan = make_plan(world, kDefaults);
  plan.cordons.nodes = {{"node2", "unschedulable"}};
  const auto status = next_status(world.relay, plan, daemon_set, kNoon);
  EXPECT_EQ(status.find("Progressing")->reason, "RolloutComplete");
  EXPECT_EQ(status.find("Ready")->reason, "PodsNotAvailable");
}

TEST_F(StatusTest, LearnsTheDefaultLevelOfAClusterFromWhatItRefuses) {
  auto plan = make_plan(world, kDefaults);
  plan.refused_pods = R"(pods is forbidden: violates PodSecurity "baseline:latest": hostPort)";
  auto said = *next_status(world.relay, plan, daemon_set, kNoon).find("PodSecurityAllowed");
  EXPECT_EQ(said.reason, "LevelTooStrict");
  EXPECT_EQ(
    said.message,
    "namespace mail enforces no level of Pod Security of its own, and the cluster's default, 'baseline', "
    "refuses host "
    "ports and host paths; run: kubectl label namespace mail pod-security.kubernetes.io/enforce=privileged "
    "--overwrite"
  );
  plan.pod_security->level = "privileged";
  said = *next_status(world.relay, plan, daemon_set, kNoon).find("PodSecurityAllowed");
  EXPECT_EQ(said.reason, "Privileged") << "the line has been run since";
  plan.pod_security->level = "";
  plan.refused_pods = "pods is forbidden: exceeded quota: q";
  EXPECT_EQ(next_status(world.relay, plan, daemon_set, kNoon).find("PodSecurityAllowed")->reason, "NoLevel");
}

TEST_F(StatusTest, HasTheServersWordsWherePodsAreRefused) {
  roll_out(3, 1, 1);
  auto plan = make_plan(world, kDefaults);
  plan.refused_pods = "pods is forbidden: exceeded quota: q";
  plan.is_stalled = true;
  const auto status = next_status(world.relay, plan, daemon_set, kNoon);
  EXPECT_EQ(status.find("Ready")->reason, "PodsNotAvailable");
  EXPECT_THAT(status.find("Ready")->message, HasSubstr("25; the API server refuses pods: pods is forbidden"));
  EXPECT_THAT(status.find("Progressing")->message, HasSubstr("10m; the API server refuses pods: pods is"));
  EXPECT_EQ(status.find("Degraded")->reason, "FailedCreate");
}

TEST_F(StatusTest, BeginsWithEveryConditionUnknown) {
  const auto first = first_status(world.relay, kNoon);
  EXPECT_EQ(first.conditions.size(), std::size(api::condition::kAll));
  for (const auto& condition : first.conditions) EXPECT_EQ(condition.status, "Unknown");
  EXPECT_EQ(first.observed_generation, 0);
}

TEST_F(StatusTest, NamesThePortsOfAllListeners) {
  world.relay.spec.listeners = {{"submissions", 465}, {"other", 587}};
  roll_out(3, 3, 3);
  says("Ready", "True", "AllNodesAvailable", "3 of 3 nodes take mail on ports 25, 465, 587");
}

TEST_F(StatusTest, IsReadyWhenEveryNodeTakesMail) {
  roll_out(3, 3, 3);
  says("Ready", "True", "AllNodesAvailable", "3 of 3 nodes take mail on port 25");
  says("Progressing", "False", "RolloutComplete", "3 of 3 nodes up to date");
  says("ConfigValid", "True", "Accepted");
  says("SecretsResolved", "True", "Resolved");
  says("Degraded", "False", "AsExpected");
}

TEST_F(StatusTest, IsNotReadyWhileANodeDoesNot) {
  roll_out(3, 3, 2);
  says("Ready", "False", "PodsNotAvailable", "2 of 3 nodes take mail");
  says("Progressing", "True", "RolloutInProgress");
}

TEST_F(StatusTest, TellsThatPodsWithOtherMountsKeepTheirSettings) {
  world.config_map = Json{{"data", {{"relay-0000.json", "{}"}}}};
  roll_out(3, 2, 2);
  says(
    "Progressing", "True", "RolloutInProgress",
    "the others keep the settings that belong to their credentials"
  );
}

TEST_F(StatusTest, DoesNotTrustCountsOfAnOlderSpec) {
  roll_out(3, 3, 3, 0);
  says("Ready", "False", "RolloutInProgress");
  says("Progressing", "True", "RolloutInProgress", "the rollout begins");
}

TEST_F(StatusTest, IsNotReadyWhereNoNodeMatches) {
  roll_out(0, 0, 0);
  says("Ready", "False", "NoNodes", "nothing takes mail");
}

TEST_F(StatusTest, SaysWhoHasItsPortsWhereEveryNodeIsLeftToAnother) {
  Nodes nodes;
  nodes.is_listed = true;
  world.nodes = std::make_shared<const Nodes>(nodes);
  world.ports = {true, 1, {{"node1", {"mail", "first"}, {"TCP", "0.0.0.0", 25}}}, {}};
  roll_out(0, 0, 0);
  says("Ready", "False", "PortTaken", "nothing takes mail; see PortAvailable");
  says("PortAvailable", "False", "PortTaken", "1 of 1 node left to others: SmtpRelay mail/first has port 25");
  EXPECT_EQ(next_status(world.relay, Plan{}, daemon_set, kNoon).find("PortAvailable")->status, "Unknown")
    << "nobody has looked";
}

TEST_F(StatusTest, TellsWhatHoldsUpARolloutThatDoesNotMove) {
  roll_out(3, 1, 2);
  auto plan = make_plan(world, kDefaults);
  plan.is_stalled = true;
  plan.troubles = {{"node2", "ImagePullBackOff", "no such image"}, {"node3", "Pending", ""}};
  const auto said = *next_status(world.relay, plan, daemon_set, kNoon).find("Progressing");
  EXPECT_EQ(said.status, "False");
  EXPECT_EQ(said.reason, "RolloutStalled");
  EXPECT_EQ(
    said.message,
    "1 of 3 nodes up to date, 2 available, and no progress for 10m; node2: ImagePullBackOff (no such image), "
    "and 1 more"
  );
  plan.troubles.clear();
  EXPECT_THAT(
    next_status(world.relay, plan, daemon_set, kNoon).find("Progressing")->message,
    HasSubstr("no pod says why")
  );
}

TEST_F(StatusTest, SaysBesideTheCountWhatKeepsNodesFromTakingMail) {
  roll_out(3, 3, 1);
  auto plan = make_plan(world, kDefaults);
  plan.troubles = {{"node2", "NotReady", "the spool's file system has 7 % free"}, {"node3", "Pending", ""}};
  const auto message = [&] {
    return next_status(world.relay, plan, daemon_set, kNoon).find("Ready")->message;
  };
  EXPECT_EQ(
    message(),
    "1 of 3 nodes take mail on port 25; node2: NotReady (the spool's file system has 7 % free), and 1 more"
  );
  plan.refused_pods = "exceeded quota: few";
  EXPECT_EQ(message(), "1 of 3 nodes take mail on port 25; the API server refuses pods: exceeded quota: few");
  plan = make_plan(world, kDefaults);
  EXPECT_EQ(message(), "1 of 3 nodes take mail on port 25") << "nobody says why";
}

TEST_F(StatusTest, NamesTenNodesThatTakeNoMail) {
  auto plan = make_plan(world, kDefaults);
  plan.troubles = {{"", "Pending", ""}};
  for (int i = 10; i < 30; ++i) plan.troubles.push_back({"node" + std::to_string(i), "NotReady", ""});
  const auto status = next_status(world.relay, plan, daemon_set, kNoon);
  ASSERT_EQ(status.degraded_nodes.size(), 10U);
  EXPECT_EQ(status.degraded_nodes[0], (api::DegradedNode{"node10", "NotReady"}));
}

TEST_F(StatusTest, GoesOnToReportWhileItIsPaused) {
  says("Paused", "False", "Managed");
  world.relay.spec.management_state = "Paused";
  world.relay.status.image = "relay:0";
  roll_out(3, 3, 2);
  says("Paused", "True", "Paused", "nothing is changed");
  says("Ready", "False", "PodsNotAvailable", "2 of 3 nodes");
  says("Progressing", "False", "Paused");
  EXPECT_EQ(next().image, "relay:0") << "what was last applied";
  daemon_set.reset();
  says("Ready", "False", "Paused", "nothing runs");
}

TEST_F(StatusTest, SaysWhatHoldsUpAFirstRollout) {
  secret_of(world) = {};
  says("Ready", "False", "Blocked", "see SecretsResolved");
  says("Progressing", "False", "Blocked");
  says("SecretsResolved", "False", "SecretNotFound", "Secret mail/credentials does not exist");
}

TEST_F(StatusTest, StaysReadyWithTheLastGoodConfiguration) {
  roll_out(3, 3, 3);
  world.relay.spec.max_message_size = "1Ki";
  world.relay.status.image = "relay:0";
  world.relay.status.config_hash = "last";
  says("Ready", "True", "LastGoodConfiguration", "see ConfigValid");
  says("ConfigValid", "False", "InvalidSettings", "spec.limits.maxMessageSize");
  says("Degraded", "True", "InvalidSettings", "ConfigValid: spec.limits.maxMessageSize");
  EXPECT_EQ(next().config_hash, "last");
  EXPECT_EQ(next().image, "relay:0");
}

TEST_F(StatusTest, GathersAllFaultsOfOneConditionInItsMessage) {
  secret_of(world) = {};
  environment_of(world) = {};
  says("SecretsResolved", "False", "SecretNotFound", "Secret mail/credentials does not exist");
  EXPECT_THAT(next().find("SecretsResolved")->message, HasSubstr("; ConfigMap mail/extra does not exist"));
}

TEST_F(StatusTest, HasNoMessageThatAServerWouldNotTakeOrStoreInOtherWords) {
  // An odd number of octets before it: the limit falls within a character.
  std::string words = "a";
  for (int i = 0; i < 30'000; ++i) words += "\u00fc";
  roll_out(2, 1, 1);
  for (const auto* type : {"Ready", "ConfigValid", "SecretsResolved"}) {
    auto plan = make_plan(world, kDefaults);
    plan.findings = {{type, "False", "InvalidSettings", words}};
    plan.cordons.untold = plan.not_stamped = plan.not_held = plan.refused_pods = words;
    plan.optional.lost = {words, words};
    const auto status = api::to_json(next_status(world.relay, plan, daemon_set, kNoon));
    EXPECT_EQ(Json::parse(status.dump(-1, ' ', false, Json::error_handler_t::replace)), status) << type;
    for (const auto& condition : status["conditions"])
      EXPECT_LE(condition["message"].get<std::string>().size(), 4000U) << condition["type"];
  }
}

TEST_F(StatusTest, IsNotReadyWhereItsNamesAreTaken) {
  world.daemon_set = Json{
    {"metadata",
     {{"ownerReferences",
       Json::array({{{"kind", "Other"}, {"name", "x"}, {"uid", "u-2"}, {"controller", true}}})}}}
  };
  says("Ready", "False", "NameConflict", "DaemonSet edge-smtp-relay belongs to Other x");
}

TEST_F(StatusTest, CountsNodesAndNamesVersions) {
  roll_out(5, 4, 3);
  const auto made = next();
  EXPECT_EQ(made.desired_nodes, 5);
  EXPECT_EQ(made.updated_nodes, 4);
  EXPECT_EQ(made.ready_nodes, 3);
  EXPECT_EQ(made.available_nodes, 3);
  EXPECT_EQ(made.misscheduled_nodes, 0);
  EXPECT_EQ(made.selector, "app.kubernetes.io/instance=edge,app.kubernetes.io/name=smtp-relay");
  (*daemon_set)["status"]["numberMisscheduled"] = 2;
  EXPECT_EQ(next().misscheduled_nodes, 2);
  EXPECT_EQ(made.observed_generation, 3);
  EXPECT_EQ(made.image, "relay:1");
  EXPECT_EQ(made.observed_secrets.at(0).resource_version, "7");
}

TEST_F(StatusTest, IsTheSameWhileNothingChanges) {
  roll_out(3, 3, 3);
  world.relay.status = next();
  EXPECT_EQ(
    next_status(world.relay, make_plan(world, kDefaults), daemon_set, kNoon + std::chrono::hours{5}),
    world.relay.status
  );
}

TEST_F(StatusTest, CutsAMessageThatWouldNeverEnd) {
  for (int i = 0; i < 300; ++i)
    world.relay.spec.allowed_networks.push_back("10.0.0.1/8 and more of the same");
  for (const auto* type : {"ConfigValid", "Degraded"}) EXPECT_LE(next().find(type)->message.size(), 4100U);
}

}  // namespace
}  // namespace op::smtp_relay
