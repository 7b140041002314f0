#include "operator/relay/plan.hpp"

#include <gmock/gmock.h>

#include "operator/resources/names.hpp"
#include "operator/resources/volumes.hpp"
#include "tests/unit/operator/relay/example.hpp"

namespace op::smtp_relay {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using Kind = api::KeyReference::Kind;

class PlanTest : public ::testing::Test {
 protected:
  [[nodiscard]] Plan plan() const { return make_plan(world, kDefaults); }
  /// The plan has been carried out, and the DaemonSet controller has replaced this many of two pods.
  void carry_out(int updated) {
    for (const auto& child : plan().apply) {
      if (child.resource.kind == "ConfigMap") world.config_map = child.desired;
      if (child.resource.kind == "DaemonSet") world.daemon_set = child.desired;
    }
    (*world.daemon_set)["status"] = {{"desiredNumberScheduled", 2}, {"updatedNumberScheduled", updated}};
  }
  [[nodiscard]] std::vector<std::string_view> order() const {
    std::vector<std::string_view> kinds;
    for (const auto& child : plan().apply) kinds.push_back(child.resource.kind);
    return kinds;
  }
  /// Another smarthost, with credentials of its own.
  void move_to_another_smarthost() {
    world.relay.spec.smarthosts[0].host = "other.test";
    world.relay.spec.passwd_client->name = "other";
    world.references[{api::KeyReference::Kind::secret, {"mail", "other"}}] = secret_of(world);
  }
  [[nodiscard]] Json data() const {
    for (const auto& child : plan().apply) {
      if (child.resource.kind == "ConfigMap") return child.desired["data"];
    }
    return {};
  }
  static Json owned_by(const std::string& uid) {
    return {{"metadata", {{"ownerReferences", Json::array({{{"uid", uid}, {"controller", true}}})}}}};
  }
  World world = example();
};

TEST_F(PlanTest, AppliesAllChildrenWhenNothingIsWrong) {
  const auto made = plan();
  EXPECT_THAT(made.findings, IsEmpty());
  ASSERT_THAT(made.apply, SizeIs(4));
  EXPECT_EQ(made.apply[0].resource.kind, "ServiceAccount");
  EXPECT_EQ(made.apply[1].resource.kind, "ConfigMap");
  EXPECT_EQ(made.apply[2].resource.kind, "DaemonSet") << "behind what it needs";
  EXPECT_EQ(made.apply[3].resource.kind, "Service");
  EXPECT_THAT(made.remove, IsEmpty());
  EXPECT_EQ(made.image, "relay:1");
  EXPECT_THAT(made.secrets, ::testing::ElementsAre(api::ObservedSecret{"credentials", "7"}));
}

TEST_F(PlanTest, PrefersTheImageOfTheResource) {
  world.relay.spec.image = "own:2";
  EXPECT_EQ(plan().image, "own:2");
}

TEST_F(PlanTest, AppliesNothingWhileAnythingIsWrong) {
  secret_of(world) = {};
  EXPECT_THAT(plan().findings, SizeIs(1));
  EXPECT_THAT(plan().apply, IsEmpty());
}

TEST_F(PlanTest, AppliesNothingWhileItIsPausedAndStillSaysWhatIsWrong) {
  world.relay.spec.management_state = "Paused";
  world.relay.spec.service_type = "None";
  world.service = owned_by("u-1");
  EXPECT_TRUE(plan().is_paused);
  EXPECT_THAT(plan().apply, IsEmpty());
  EXPECT_THAT(plan().remove, IsEmpty());
  secret_of(world) = {};
  EXPECT_THAT(plan().findings, SizeIs(1));
}

TEST_F(PlanTest, RemovesWhatTheResourceWantsNoMore) {
  world.service = owned_by("u-1");
  world.service_account = owned_by("u-1");
  EXPECT_THAT(plan().remove, IsEmpty());
  world.relay.spec.service_type = "None";
  world.relay.spec.service_account_name = "mail";
  const auto made = plan();
  ASSERT_THAT(made.remove, SizeIs(2));
  EXPECT_EQ(made.remove[0].resource.kind, "Service");
  EXPECT_EQ(made.remove[1].resource.kind, "ServiceAccount");
  EXPECT_THAT(order(), ElementsAre("ConfigMap", "DaemonSet"));
}

TEST_F(PlanTest, RemovesNothingThatIsSomebodyElsesOrOnItsWayOut) {
  world.relay.spec.service_type = "None";
  world.service = owned_by("u-2");
  EXPECT_THAT(plan().remove, IsEmpty());
  EXPECT_THAT(plan().findings, IsEmpty()) << "a name that is not needed may be taken";
  world.service = owned_by("u-1");
  (*world.service)["metadata"]["deletionTimestamp"] = "2026-01-31T12:00:00Z";
  EXPECT_THAT(plan().remove, IsEmpty());
}

TEST_F(PlanTest, NamesTheFilesOfTrustAnchorsThatAreThere) {
  world.relay.spec.delivery.trust_anchors = "anchors";
  auto& anchors = world.references[{Kind::config_map, {"mail", "anchors"}}];
  anchors.exists = true;
  anchors.keys = {"corp.ds"};
  EXPECT_THAT(
    data()[plan().settings_key].get<std::string>(),
    HasSubstr("/etc/smtp-relay/refs/configmap-anchors/corp.ds")
  );
}

TEST_F(PlanTest, StampsPodsAnewWhenAKeyThatSignsChanges) {
  world.relay.spec.dkim = {{"a.test", "s1", {Kind::secret, "dkim", "private.key"}}};
  auto& secret = world.references[{Kind::secret, {"mail", "dkim"}}];
  secret.exists = true;
  secret.resource_version = "1";
  secret.keys = {"private.key"};
  secret.contents["private.key"] = {resources::Content::signing_key};
  const auto before = plan();
  EXPECT_THAT(before.findings, IsEmpty());
  secret.resource_version = "2";
  EXPECT_NE(plan().reload, before.reload);
  EXPECT_EQ(plan().settings_key, before.settings_key);
}

TEST_F(PlanTest, StampsPodsAnewAndReplacesNoneWhenTheCertificateForClientsChanges) {
  world.relay.spec.tls_certificate = "smtp-tls";
  auto& secret = world.references[{Kind::secret, {"mail", "smtp-tls"}}];
  secret.exists = true;
  secret.resource_version = "1";
  secret.keys = {"tls.crt", "tls.key"};
  secret.contents["tls.crt"] = {resources::Content::certificates};
  secret.contents["tls.key"] = {resources::Content::key_of_certificate};
  const auto before = plan();
  EXPECT_THAT(before.findings, IsEmpty());
  secret.resource_version = "2";
  const auto after = plan();
  EXPECT_NE(after.reload, before.reload);
  ASSERT_THAT(after.apply, SizeIs(4));
  for (std::size_t i = 0; i < 4; ++i) EXPECT_EQ(after.apply[i].desired, before.apply[i].desired);
}

TEST_F(PlanTest, RollsPodsWhenTrustAnchorsChange) {
  world.relay.spec.delivery.trust_anchors = "anchors";
  auto& anchors = world.references[{Kind::config_map, {"mail", "anchors"}}];
  anchors.exists = true;
  anchors.keys = {"corp.ds"};
  anchors.content_hash = "1";
  const auto before = plan();
  anchors.content_hash = "2";
  const auto after = plan();
  EXPECT_EQ(after.reload, before.reload) << "relays read them at their start alone";
  EXPECT_NE(after.apply[2].desired, before.apply[2].desired);
}

TEST_F(PlanTest, GivesPodsTheTimeToDrainThatTheirEnvironmentAsksFor) {
  const auto grace = [&] {
    return plan().apply.at(2).desired["spec"]["template"]["spec"]["terminationGracePeriodSeconds"];
  };
  EXPECT_EQ(grace(), 115);
  environment_of(world).environment = {
    {"SMTP_RELAY_LAME_DUCK", "2m"},
    {"SMTP_RELAY_SESSION_DRAIN_TIMEOUT", "1m"},
    {"SMTP_RELAY_FLUSH_TIMEOUT", "30s"}
  };
  EXPECT_EQ(grace(), 215);
}

TEST_F(PlanTest, LeavesNodesToARelayThatHasThePortThere) {
  Nodes nodes;
  nodes.is_listed = true;
  world.nodes = std::make_shared<const Nodes>(nodes);
  world.ports = {true, 2, {{"node1", {"mail", "first"}, {"TCP", "0.0.0.0", 25}}}, {}};
  const auto made = plan();
  EXPECT_THAT(made.findings, IsEmpty()) << "on all other nodes it runs";
  EXPECT_THAT(made.apply.at(2).desired["spec"]["template"]["spec"]["affinity"].dump(), HasSubstr("node1"));
  world.relay.spec.management_state = "Paused";
  EXPECT_THAT(plan().apply, IsEmpty());
  EXPECT_THAT(plan().ports->exclusions.nodes, ElementsAre("node1")) << "and yet it is told";
}

TEST_F(PlanTest, AppliesNothingThatLeavesOutMoreNodesThanADaemonSetBears) {
  Nodes nodes;
  nodes.is_listed = true;
  world.nodes = std::make_shared<const Nodes>(nodes);
  world.ports = {true, 2000, {}, {}};
  for (std::size_t number = 0; number <= kMostExclusions; ++number)
    world.ports.lost.push_back({"n" + std::to_string(number), {"mail", "first"}, {"TCP", "0.0.0.0", 25}});
  EXPECT_THAT(plan().findings, SizeIs(1));
  EXPECT_THAT(plan().apply, IsEmpty());
}

TEST_F(PlanTest, LetsTheEnvironmentNameTheRelay) {
  world.relay.spec.helo_from = "Static";
  world.relay.spec.helo_name = "mail.example.org";
  const auto names_it = [&] {
    return plan().apply.at(2).desired.dump().find("mail.example.org") != std::string::npos;
  };
  EXPECT_TRUE(names_it());
  environment_of(world).environment = {{"SMTP_RELAY_HOSTNAME", "other.example.org"}};
  EXPECT_FALSE(names_it());
}

TEST_F(PlanTest, StampsPodsAnewWhenWhatTheyReadChanges) {
  const auto before = plan().reload;
  EXPECT_EQ(plan().reload, before);
  secret_of(world).resource_version = "8";
  const auto changed_secret = plan().reload;
  EXPECT_NE(changed_secret, before);
  authorities_of(world).resource_version = "9";
  const auto changed_authority = plan().reload;
  EXPECT_NE(changed_authority, changed_secret);
  world.relay.spec.max_message_size = "5Mi";
  EXPECT_NE(plan().reload, changed_authority);
}

TEST_F(PlanTest, ChangesLiveSettingsOnlyBehindADaemonSetThatTheServerAccepts) {
  carry_out(2);
  world.relay.spec.smarthosts[0].host = "other.test";
  EXPECT_THAT(order(), ElementsAre("ServiceAccount", "DaemonSet", "ConfigMap", "Service"));
}

TEST_F(PlanTest, HasSettingsForNewMountsReadyBeforeThePodsThatReadThem) {
  carry_out(2);
  move_to_another_smarthost();
  EXPECT_THAT(order(), ElementsAre("ServiceAccount", "ConfigMap", "DaemonSet", "Service"));
}

TEST_F(PlanTest, KeepsTheSettingsOfPodsWithOtherCredentialsUntilTheyAreReplaced) {
  carry_out(2);
  const auto former = plan().settings_key;
  const auto settings = data()[former];
  move_to_another_smarthost();
  const auto present = plan().settings_key;
  ASSERT_NE(present, former);
  carry_out(1);
  EXPECT_TRUE(plan().keeps_former_settings);
  EXPECT_EQ(data()[former], settings) << "they would send to other.test without a password";
  EXPECT_THAT(data()[present].get<std::string>(), HasSubstr("other.test"));
  carry_out(2);
  EXPECT_FALSE(plan().keeps_former_settings);
  EXPECT_THAT(data(), SizeIs(1));
  EXPECT_TRUE(data().contains(present));
}

TEST_F(PlanTest, KeepsTheSettingsOfRunningPodsWhileTheServerRefusesNewOnes) {
  carry_out(2);
  const auto former = plan().settings_key;
  move_to_another_smarthost();
  EXPECT_TRUE(data().contains(former)) << "the rollout seems complete: it has not begun";
  world.daemon_set.reset();
  EXPECT_TRUE(data().contains(former)) << "pods may outlive their DaemonSet";
}

TEST_F(PlanTest, ChangesLiveSettingsOfAllPodsWhileARolloutOfSomethingElseIsStuck) {
  carry_out(2);
  world.relay.spec.image = "own:2";
  carry_out(1);
  world.relay.spec.allowed_networks = {"10.99.0.0/16"};
  EXPECT_THAT(data(), SizeIs(1));
  EXPECT_THAT(data()[plan().settings_key].get<std::string>(), HasSubstr("10.99.0.0/16"));
}

TEST_F(PlanTest, ChangesThePlaceOfTheSettingsWithTheNamesOfWhatIsMountedAlone) {
  const auto before = plan().settings_key;
  secret_of(world).resource_version = "8";
  world.relay.spec.smarthosts[0].host = "other.test";
  EXPECT_EQ(plan().settings_key, before);
  world.relay.spec.smarthosts[0].tls.ca->key = "other.crt";
  EXPECT_NE(plan().settings_key, before);
}

TEST_F(PlanTest, RollsPodsInsteadWhenTheirEnvironmentChanges) {
  const auto before = plan();
  environment_of(world).content_hash = "e2";
  environment_of(world).resource_version = "8";
  const auto after = plan();
  EXPECT_EQ(after.reload, before.reload);
  EXPECT_NE(after.apply[2].desired, before.apply[2].desired);
}

TEST_F(PlanTest, HoldsNoSecretAnywhere) {
  const auto made = plan();
  std::string all = made.reload + made.config_hash;
  for (const auto& child : made.apply) all += child.desired.dump();
  EXPECT_THAT(all, AllOf(HasSubstr("credentials"), ::testing::Not(HasSubstr("sesame"))));
}

}  // namespace
}  // namespace op::smtp_relay
