#include "operator/relay/plan.hpp"

#include <gmock/gmock.h>

#include "operator/resources/names.hpp"
#include "tests/unit/operator/relay/example.hpp"

namespace op::smtp_relay {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

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
  authorities_of(world).certificates = {};
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
  EXPECT_THAT(findings[0].message, HasSubstr("spec.smarthosts[0].host"));
}

TEST_F(PlanTest, ChecksTheEnvironmentThatWouldWinOverTheSettings) {
  environment_of(world).environment = {{"SMTP_RELAY_PORT", "tcp://10.0.0.1:25"}};
  finds(
    "ConfigValid", "InvalidSettings",
    "ConfigMaps of spec.envFrom: environment: SMTP_RELAY_PORT: unknown setting"
  );
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
