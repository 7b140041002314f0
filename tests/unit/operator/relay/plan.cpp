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
  /// The one fault that the plan finds.
  void finds(std::string_view condition, const std::string& reason, const std::string& message) {
    const auto findings = plan().findings;
    ASSERT_THAT(findings, SizeIs(1));
    EXPECT_EQ(findings[0].condition, condition);
    EXPECT_EQ(findings[0].reason, reason);
    EXPECT_THAT(findings[0].message, HasSubstr(message));
    EXPECT_THAT(plan().apply, IsEmpty()) << "nothing is applied while something is wrong";
  }
  static Json owned_by(const std::string& uid) {
    return {
      {"metadata",
       {{"ownerReferences",
         Json::array({{{"kind", "Other"}, {"name", "x"}, {"uid", uid}, {"controller", true}}})}}}
    };
  }
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
  /// A Secret with these keys, of whose values nothing is known. The reference stays good.
  Referenced& add_secret(const std::string& name, std::set<std::string> keys) {
    auto& secret = world.references[{Kind::secret, {"mail", name}}];
    secret.exists = true;
    secret.resource_version = "1";
    secret.keys = std::move(keys);
    return secret;
  }
  World world = example();
};

TEST_F(PlanTest, AppliesAllChildrenWhenNothingIsWrong) {
  const auto made = plan();
  EXPECT_THAT(made.findings, IsEmpty());
  ASSERT_THAT(made.apply, SizeIs(3));
  EXPECT_EQ(made.apply[0].resource.kind, "ServiceAccount");
  EXPECT_EQ(made.apply[1].resource.kind, "ConfigMap");
  EXPECT_EQ(made.apply[2].resource.kind, "DaemonSet") << "last: it needs the others";
  EXPECT_EQ(made.image, "relay:1");
  EXPECT_THAT(made.secrets, ::testing::ElementsAre(api::ObservedSecret{"credentials", "7"}));
}

TEST_F(PlanTest, PrefersTheImageOfTheResource) {
  world.relay.spec.image = "own:2";
  EXPECT_EQ(plan().image, "own:2");
}

TEST_F(PlanTest, NamesASecretThatDoesNotExist) {
  secret_of(world) = {};
  finds("SecretsResolved", "SecretNotFound", "Secret mail/credentials does not exist; create it");
}

TEST_F(PlanTest, NamesAConfigMapThatDoesNotExist) {
  environment_of(world) = {};
  finds("SecretsResolved", "ConfigMapNotFound", "ConfigMap mail/extra does not exist");
}

TEST_F(PlanTest, NamesTheKeyThatIsMissingAndThoseThatAreThere) {
  secret_of(world).keys = {"password", "user"};
  finds(
    "SecretsResolved", "SecretKeyMissing",
    "Secret mail/credentials has no key 'passwd.client'; its keys: password, user"
  );
}

TEST_F(PlanTest, RefusesAnAuthorityThatIsNoCertificate) {
  authorities_of(world).contents = {};
  finds(
    "SecretsResolved", "InvalidCertificate",
    "key 'ca.crt' of ConfigMap mail/authorities is not a list of certificates in PEM"
  );
}

TEST_F(PlanTest, SaysUnknownWhereItMayNotLook) {
  secret_of(world) = {};
  secret_of(world).unreadable = "GET /x: 403 secrets is forbidden";
  finds("SecretsResolved", "Forbidden", "grant get on secrets");
  EXPECT_EQ(plan().findings[0].status, "Unknown");
}

TEST_F(PlanTest, ReportsSettingsThatTheRelayWouldRefuseByTheirFields) {
  world.relay.spec.max_message_size = "1Ki";
  finds("ConfigValid", "InvalidSettings", "spec.limits.maxMessageSize: '1Ki' is not accepted");
}

TEST_F(PlanTest, ReportsASmarthostThatIsNoHost) {
  world.relay.spec.smarthosts[0].host = "not a host";
  const auto findings = plan().findings;
  ASSERT_FALSE(findings.empty());
  EXPECT_THAT(
    findings[0].message, AllOf(
                           HasSubstr("spec.smarthosts[0].host: 'not a host' is not accepted"),
                           ::testing::Not(HasSubstr("JSON array"))
                         )
  );
}

TEST_F(PlanTest, ReportsADestinationWhoseProviderIsNotThere) {
  world.relay.spec.delivery.destinations.emplace_back().providers = {"big"};
  finds("ConfigValid", "InvalidSettings", "spec.delivery.destinations: there is no provider 'big'");
}

TEST_F(PlanTest, ReportsASmarthostOfTheEnvironmentBesideThoseOfTheResource) {
  environment_of(world).environment = {{"SMTP_RELAY_SMARTHOST", "other.test:25"}};
  finds("ConfigValid", "InvalidSettings", "smarthost, smarthosts: only one of them");
}

TEST_F(PlanTest, RefusesAKeyThatDoesNotSignMail) {
  world.relay.spec.dkim = {{"a.test", "s1", {Kind::secret, "dkim", "private.key"}}};
  auto& secret = add_secret("dkim", {"private.key"});
  finds(
    "SecretsResolved", "InvalidKey",
    "spec.dkim[s1._domainkey.a.test].secretRef: key 'private.key' of Secret mail/dkim is not a private key"
  );
  secret.contents["private.key"] = {resources::Content::signing_key};
  EXPECT_THAT(plan().findings, IsEmpty());
}

TEST_F(PlanTest, RefusesACertificateWithTheKeyOfAnother) {
  world.relay.spec.smarthosts[0].tls.client_certificate = "client";
  auto& secret = add_secret("client", {"tls.crt", "tls.key"});
  secret.contents["tls.crt"] = {resources::Content::certificates};
  finds("SecretsResolved", "InvalidKey", "key 'tls.key' of Secret mail/client is not the private key of");
  secret.contents["tls.key"] = {resources::Content::key_of_certificate};
  EXPECT_THAT(plan().findings, IsEmpty());
}

TEST_F(PlanTest, RefusesARedactionKeyThatIsTooShort) {
  world.relay.spec.redaction_key = api::KeyReference{Kind::secret, "log", "key"};
  auto& secret = add_secret("log", {"key"});
  finds(
    "SecretsResolved", "InvalidKey", "spec.logging.keySecretRef: key 'key' of Secret mail/log is too short"
  );
  secret.contents["key"] = {resources::Content::redaction_key};
  EXPECT_THAT(plan().findings, IsEmpty());
}

TEST_F(PlanTest, NamesAMissingKeyOnceHoweverManyFieldsNameIt) {
  world.relay.spec.smarthosts.push_back({"second", "second.test"});
  world.relay.spec.smarthosts[1].tls.ca = world.relay.spec.smarthosts[0].tls.ca;
  authorities_of(world).keys = {};
  finds("SecretsResolved", "ConfigMapKeyMissing", "ConfigMap mail/authorities has no key 'ca.crt'");
}

TEST_F(PlanTest, NeedsTheKeysOfAnAuthentication) {
  world.relay.spec.passwd_client.reset();
  world.relay.spec.smarthosts[0].auth = api::Auth{"Plain", "user"};
  add_secret("user", {"username"});
  finds("SecretsResolved", "SecretKeyMissing", "Secret mail/user has no key 'password'; its keys: username");
}

TEST_F(PlanTest, NeedsTrustAnchorsInTheirConfigMap) {
  world.relay.spec.delivery.trust_anchors = "anchors";
  auto& anchors = world.references[{Kind::config_map, {"mail", "anchors"}}];
  finds("SecretsResolved", "ConfigMapNotFound", "ConfigMap mail/anchors does not exist");
  anchors.exists = true;
  finds("SecretsResolved", "ConfigMapKeyMissing", "ConfigMap mail/anchors has no key");
  anchors.keys = {"corp.ds"};
  EXPECT_THAT(
    data()[plan().settings_key].get<std::string>(),
    HasSubstr("/etc/smtp-relay/refs/configmap-anchors/corp.ds")
  );
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

TEST_F(PlanTest, DeliversByMxWhereNoSmarthostIsNamed) {
  world.relay.spec.smarthosts.clear();
  EXPECT_THAT(plan().findings, IsEmpty());
}

TEST_F(PlanTest, ChecksTheEnvironmentThatWouldWinOverTheSettings) {
  environment_of(world).environment = {{"SMTP_RELAY_PORT", "tcp://10.0.0.1:25"}};
  finds(
    "ConfigValid", "InvalidSettings",
    "ConfigMaps of spec.envFrom: environment: SMTP_RELAY_PORT: unknown setting"
  );
}

TEST_F(PlanTest, RefusesVariablesOfSettingsThatThePodReliesOn) {
  for (const std::string name :
       {"LISTEN", "HTTP_LISTEN", "METRICS_LISTEN", "ADMIN_LISTEN", "SPOOL_PATH", "POD_ANNOTATIONS",
        "PASSWD_CLIENT", "MX_CA", "DNS_TRUST_ANCHORS", "LOG_REDACTION_KEY"}) {
    const bool is_address = name.ends_with("LISTEN");
    environment_of(world).environment = {{"SMTP_RELAY_" + name, is_address ? "127.0.0.1:1" : "/tmp/x"}};
    finds("ConfigValid", "InvalidSettings", "ConfigMaps of spec.envFrom: SMTP_RELAY_" + name + ": ports");
  }
}

TEST_F(PlanTest, GivesPodsTheTimeToDrainThatTheirEnvironmentAsksFor) {
  const auto grace = [&] {
    return plan().apply.at(2).desired["spec"]["template"]["spec"]["terminationGracePeriodSeconds"];
  };
  EXPECT_EQ(grace(), 55);
  environment_of(world).environment = {
    {"SMTP_RELAY_LAME_DUCK", "2m"}, {"SMTP_RELAY_SESSION_DRAIN_TIMEOUT", "1m"}
  };
  EXPECT_EQ(grace(), 185);
}

TEST_F(PlanTest, LetsLaterConfigMapsWin) {
  world.relay.spec.env_from = {"extra", "more"};
  environment_of(world).environment = {{"SMTP_RELAY_LAME_DUCK", "nonsense"}};
  auto more = environment_of(world);
  more.environment = {{"SMTP_RELAY_LAME_DUCK", "5s"}};
  world.references[{api::KeyReference::Kind::config_map, {"mail", "more"}}] = more;
  EXPECT_THAT(plan().findings, IsEmpty());
}

TEST_F(PlanTest, ReportsAllThatIsWrongAtOnce) {
  secret_of(world) = {};
  world.relay.spec.lame_duck = "long";
  world.relay.spec.retry_max_age = "1s";
  EXPECT_THAT(plan().findings, SizeIs(3));
}

TEST_F(PlanTest, TakesNothingOverThatIsSomebodyElses) {
  world.config_map = owned_by("u-2");
  finds("Ready", "NameConflict", "ConfigMap edge-smtp-relay belongs to Other x (uid u-2)");
}

TEST_F(PlanTest, TakesOverWhatIsItsOwnOrNobodys) {
  world.config_map = owned_by("u-1");
  world.daemon_set = Json{{"metadata", Json::object()}};
  EXPECT_THAT(plan().findings, IsEmpty());
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
  EXPECT_THAT(order(), ElementsAre("ServiceAccount", "DaemonSet", "ConfigMap"));
}

TEST_F(PlanTest, HasSettingsForNewMountsReadyBeforeThePodsThatReadThem) {
  carry_out(2);
  move_to_another_smarthost();
  EXPECT_THAT(order(), ElementsAre("ServiceAccount", "ConfigMap", "DaemonSet"));
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
