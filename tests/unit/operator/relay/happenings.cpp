#include "operator/relay/happenings.hpp"

#include <gmock/gmock.h>

#include "operator/relay/status.hpp"
#include "tests/unit/operator/relay/example.hpp"

namespace op::smtp_relay {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr relay::WallTime kNoon{std::chrono::seconds{1'769'860'800}};

class HappeningsTest : public ::testing::Test {
 protected:
  HappeningsTest() { world.relay.status = first_status(world.relay, kNoon); }
  /// What the next status tells, `Warning SecretNotFound`; it is then the last.
  std::vector<std::string> told() {
    const auto next = next_status(world.relay, make_plan(world, kDefaults), daemon_set, kNoon);
    last = news_of(world.relay, next);
    world.relay.status = next;
    std::vector<std::string> all;
    for (const auto& each : last)
      all.push_back((each.type == Occurrence::Type::warning ? "Warning " : "Normal ") + each.reason);
    return all;
  }
  void roll_out(int desired, int available) {
    daemon_set = Json{
      {"metadata", {{"generation", 1}}},
      {"status",
       {{"observedGeneration", 1},
        {"desiredNumberScheduled", desired},
        {"updatedNumberScheduled", available},
        {"numberReady", available},
        {"numberAvailable", available}}},
    };
  }
  World world = example();
  std::optional<Json> daemon_set;
  std::vector<Occurrence> last;
};

TEST_F(HappeningsTest, BeginWithTheResourceItself) {
  const auto occurrence = first_seen(world.relay);
  EXPECT_EQ(occurrence.reason, "Created");
  EXPECT_EQ(occurrence.regarding.api_version, "smtp.buildinglink.com/v1alpha1");
  EXPECT_EQ(occurrence.regarding.key.to_text(), "mail/edge");
  EXPECT_THAT(occurrence.note, HasSubstr("edge-smtp-relay"));
}

TEST_F(HappeningsTest, AreNoneWhileNothingChanges) {
  roll_out(3, 3);
  EXPECT_THAT(told(), ElementsAre("Normal AllNodesAvailable", "Normal RolloutComplete"));
  EXPECT_THAT(told(), IsEmpty());
}

TEST_F(HappeningsTest, OfARolloutAreItsEndAndNotEachNode) {
  roll_out(3, 1);
  EXPECT_THAT(told(), IsEmpty());
  roll_out(3, 2);
  EXPECT_THAT(told(), IsEmpty());
  roll_out(3, 3);
  EXPECT_THAT(told(), ElementsAre("Normal AllNodesAvailable", "Normal RolloutComplete"));
}

TEST_F(HappeningsTest, NameASecretThatIsMissingAndThatItIsBack) {
  const auto there = secret_of(world);
  secret_of(world) = {};
  EXPECT_THAT(told(), ElementsAre("Warning SecretNotFound"));
  EXPECT_EQ(last.at(0).note.substr(0, 50), "SecretsResolved: Secret mail/credentials does not ");
  EXPECT_THAT(told(), IsEmpty());
  secret_of(world) = there;
  EXPECT_THAT(told(), ElementsAre("Normal Resolved"));
}

TEST_F(HappeningsTest, NameASecondFaultOfTheSameReason) {
  world.relay.spec.max_message_size = "1Ki";
  EXPECT_THAT(told(), ElementsAre("Warning InvalidSettings"));
  world.relay.spec.retry_max_age = "soon";
  EXPECT_THAT(told(), ElementsAre("Warning InvalidSettings"));
  EXPECT_THAT(last.at(0).note, HasSubstr("spec.retry.maxAge"));
}

TEST_F(HappeningsTest, WarnOfNamesThatAreTaken) {
  world.daemon_set = Json{
    {"metadata",
     {{"ownerReferences",
       Json::array({{{"kind", "Other"}, {"name", "x"}, {"uid", "u-2"}, {"controller", true}}})}}}
  };
  EXPECT_THAT(told(), ElementsAre("Warning NameConflict"));
}

TEST_F(HappeningsTest, WarnOfARolloutThatIsStalled) {
  auto next = world.relay.status;
  next.set({"Progressing", "False", "RolloutStalled", "2 of 3 nodes: ImagePullBackOff", 3, ""}, kNoon);
  const auto news = news_of(world.relay, next);
  ASSERT_EQ(news.size(), 1U);
  EXPECT_EQ(news[0].reason, "RolloutStalled");
  EXPECT_EQ(news[0].type, Occurrence::Type::warning);
}

TEST_F(HappeningsTest, WarnOnceOfAnImageWithoutAFixedVersion) {
  world.relay.spec.image = "registry:5000/relay:latest";
  EXPECT_THAT(told(), ElementsAre("Warning ImageNotPinned"));
  EXPECT_THAT(told(), IsEmpty());
  world.relay.spec.image = "registry:5000/relay:1.2";
  EXPECT_THAT(told(), IsEmpty());
}

TEST_F(HappeningsTest, OfADeletionNameTheFoldersAndTheNodesAndCountTheMail) {
  SpoolReports reports{{"node-1", "p-1"}, {"node-2", "p-2", "no answer"}, {"node-3", "p-3"}};
  reports[0].waiting = 12;
  auto told = farewell(world.relay, reports, "/var/lib/smtp-relay", "");
  EXPECT_EQ(told.type, Occurrence::Type::warning);
  EXPECT_EQ(told.reason, "SpoolRetained");
  EXPECT_EQ(
    told.note,
    "deleted; at least 12 messages wait in /var/lib/smtp-relay/mail/edge, nodes node-1 (12), node-2 "
    "(unknown), "
    "node-3 (0): an SmtpRelay edge in namespace mail takes it up again and sends it; without one, remove the "
    "folders"
  );
  told = farewell(world.relay, reports, "/x", "its namespace is being deleted");
  EXPECT_THAT(
    told.note, HasSubstr("deleted, not drained: its namespace is being deleted; at least 12 messages")
  );
  world.relay.spec.spool_type = "EmptyDir";
  told = farewell(world.relay, reports, "/x", "");
  EXPECT_EQ(told.reason, "SpoolLost");
  EXPECT_THAT(told.note, HasSubstr("12 messages wait in the emptyDir of each pod, nodes node-1 (12)"));
  world.relay.spec.spool_type = "PersistentVolumeClaim";
  world.relay.spec.spool_claim = "spools";
  told = farewell(world.relay, reports, "/x", "");
  EXPECT_THAT(told.note, HasSubstr("in folder edge of the PersistentVolumeClaim spools, nodes node-1"));
}

TEST_F(HappeningsTest, OfADeletionFitIntoAnEventHoweverManyNodesThereAre) {
  SpoolReports reports;
  for (int i = 0; i < 1000; ++i)
    reports.push_back({"ip-10-140-" + std::to_string(i) + ".eu-central-1.compute.internal", "p"});
  const auto told = farewell(world.relay, reports, "/var/lib/smtp-relay", "its namespace is being deleted");
  EXPECT_LT(told.note.size(), 1024U);
  EXPECT_THAT(told.note, HasSubstr("remove the folders"));
}

TEST_F(HappeningsTest, OfADrainAreAWarningOnlyWhenDeadLettersAreLeft) {
  SpoolReports reports{{"node-1", "p-1"}};
  auto told = drained(world.relay, reports, "/var/lib/smtp-relay");
  EXPECT_EQ(told.reason, "Drained");
  EXPECT_EQ(told.type, Occurrence::Type::normal);
  EXPECT_EQ(
    told.note,
    "deleted; 0 messages wait in /var/lib/smtp-relay/mail/edge, node node-1 (0); the folders may be removed"
  );
  reports[0].failed = 1;
  told = drained(world.relay, reports, "/var/lib/smtp-relay");
  EXPECT_EQ(told.type, Occurrence::Type::warning);
  EXPECT_THAT(told.note, HasSubstr("1 dead letter is kept"));
}

TEST_F(HappeningsTest, NameAChildThatMailCanDoWithoutOnce) {
  auto plan = make_plan(world, kDefaults);
  EXPECT_THAT(losses_of(world.relay, plan), IsEmpty());
  plan.optional.lost = {"spec.metrics.rules: no such kind", "spec.networkPolicy: forbidden"};
  const auto losses = losses_of(world.relay, plan);
  ASSERT_EQ(losses.size(), 2U);
  EXPECT_EQ(losses[0].reason, "OptionalChildMissing");
  EXPECT_EQ(losses[0].type, Occurrence::Type::warning);
  EXPECT_EQ(losses[0].note, plan.optional.lost[0]);
  world.relay.status = next_status(world.relay, plan, daemon_set, kNoon);
  EXPECT_THAT(losses_of(world.relay, plan), IsEmpty()) << "the status says so";
  plan.optional.lost[0] = "spec.metrics.rules: another trouble";
  EXPECT_EQ(losses_of(world.relay, plan).at(0).note, plan.optional.lost[0]);
}

TEST_F(HappeningsTest, NameALevelOfPodSecurityThatIsTooStrict) {
  world.pod_security.level = "baseline";
  EXPECT_THAT(told(), ElementsAre("Warning LevelTooStrict"));
  EXPECT_THAT(last.at(0).note, HasSubstr("kubectl label namespace mail"));
  world.pod_security.level = "privileged";
  EXPECT_THAT(told(), ElementsAre("Normal Privileged"));
}

TEST_F(HappeningsTest, WarnOnceOfAPortThatAnotherHasAndTellWhenItIsFree) {
  Nodes nodes;
  nodes.is_listed = true;
  world.nodes = std::make_shared<const Nodes>(nodes);
  const HostPort port{"TCP", "0.0.0.0", 25};
  world.ports = {true, 3, {{"node1", {"mail", "first"}, port}}, {}};
  EXPECT_THAT(told(), ElementsAre("Warning PortTaken"));
  EXPECT_THAT(last.at(0).note, HasSubstr("PortAvailable: 1 of 3 nodes left to others: SmtpRelay mail/first"));
  world.ports.lost.push_back({"node2", {"mail", "first"}, port});
  EXPECT_THAT(told(), IsEmpty()) << "one node more is in the condition";
  world.ports.lost.clear();
  EXPECT_THAT(told(), ElementsAre("Normal NoConflict"));
}

TEST(Image, FloatsWithoutAVersionOfItsOwn) {
  for (const auto* image : {"relay", "relay:latest", "registry:5000/relay", "a/b:latest"})
    EXPECT_TRUE(floats(image)) << image;
  for (const auto* image :
       {"", "relay:1", "registry:5000/relay:1.2", "relay@sha256:00", "relay:latest@sha256:00"})
    EXPECT_FALSE(floats(image)) << image;
}

TEST_F(HappeningsTest, OfACordonAreItsNodesAndARightThatIsMissingOnce) {
  auto nodes = std::make_shared<Nodes>();
  nodes->unreadable = "no right to list nodes";
  world.nodes = nodes;
  EXPECT_THAT(told(), ElementsAre("Warning Forbidden"));
  EXPECT_THAT(last[0].note, HasSubstr("CordonAware: the operator may not see nodes"));
  EXPECT_THAT(told(), IsEmpty());
  nodes->unreadable.clear();
  nodes->is_listed = true;
  EXPECT_THAT(told(), IsEmpty()) << "nothing is cordoned";
  auto node = std::make_shared<Node>();
  node->is_unschedulable = true;
  nodes->by_name["node-1"] = node;
  daemon_set = Json{{"metadata", {{"uid", "d-1"}}}};
  world.pods = {
    {{"metadata",
      {{"name", "edge-1"}, {"ownerReferences", Json::array({{{"uid", "d-1"}, {"controller", true}}})}}},
     {"spec", {{"nodeName", "node-1"}}}}
  };
  world.daemon_set = daemon_set;
  EXPECT_THAT(told(), ::testing::Contains("Normal NodesCordoned"));
  EXPECT_THAT(told(), IsEmpty());
}

TEST_F(HappeningsTest, WarnOnceOfPodsThatAreNotThere) {
  auto next = world.relay.status;
  next.set(
    {"Degraded", "True", "FailedCreate", "DaemonSet: the API server refuses pods: quota", 3, ""}, kNoon
  );
  ASSERT_EQ(news_of(world.relay, next).size(), 1U);
  EXPECT_EQ(news_of(world.relay, next)[0].reason, "FailedCreate");
  world.relay.status = next;
  next.set({"Degraded", "True", "PodsNotAvailable", "Ready: 1 of 3 nodes", 3, ""}, kNoon);
  ASSERT_EQ(news_of(world.relay, next).size(), 1U);
  EXPECT_EQ(news_of(world.relay, next)[0].type, Occurrence::Type::warning);
  world.relay.status = next;
  next.set({"Degraded", "True", "PodsNotAvailable", "Ready: 2 of 3 nodes", 3, ""}, kNoon);
  EXPECT_THAT(news_of(world.relay, next), IsEmpty()) << "each node is none of its own";
}

}  // namespace
}  // namespace op::smtp_relay
