#include "operator/relay/checks.hpp"

#include <gmock/gmock.h>

#include "operator/relay/effective.hpp"
#include "tests/unit/operator/relay/example.hpp"

namespace op::smtp_relay {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using Kind = api::KeyReference::Kind;

class ChecksTest : public ::testing::Test {
 protected:
  [[nodiscard]] Findings found() const { return findings_of(world, effective_settings(world)); }
  /// The one fault that there is.
  void finds(std::string_view condition, const std::string& reason, const std::string& message) {
    const auto findings = found();
    ASSERT_THAT(findings, SizeIs(1));
    EXPECT_EQ(findings[0].condition, condition);
    EXPECT_EQ(findings[0].reason, reason);
    EXPECT_THAT(findings[0].message, HasSubstr(message));
  }
  static Json owned_by(const std::string& uid) {
    return {
      {"metadata",
       {{"ownerReferences",
         Json::array({{{"kind", "Other"}, {"name", "x"}, {"uid", uid}, {"controller", true}}})}}}
    };
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

TEST_F(ChecksTest, NamesASecretThatDoesNotExist) {
  secret_of(world) = {};
  finds("SecretsResolved", "SecretNotFound", "Secret mail/credentials does not exist; create it");
}

TEST_F(ChecksTest, NamesAConfigMapThatDoesNotExist) {
  environment_of(world) = {};
  finds("SecretsResolved", "ConfigMapNotFound", "ConfigMap mail/extra does not exist");
}

TEST_F(ChecksTest, NamesTheKeyThatIsMissingAndThoseThatAreThere) {
  secret_of(world).keys = {"password", "user"};
  finds(
    "SecretsResolved", "SecretKeyMissing",
    "Secret mail/credentials has no key 'passwd.client'; its keys: password, user"
  );
}

TEST_F(ChecksTest, RefusesAnAuthorityThatIsNoCertificate) {
  authorities_of(world).contents = {};
  finds(
    "SecretsResolved", "InvalidCertificate",
    "key 'ca.crt' of ConfigMap mail/authorities is not a list of certificates in PEM"
  );
}

TEST_F(ChecksTest, SaysUnknownWhereItMayNotLook) {
  secret_of(world) = {};
  secret_of(world).unreadable = "GET /x: 403 secrets is forbidden";
  finds("SecretsResolved", "Forbidden", "grant get on secrets");
  EXPECT_EQ(found()[0].status, "Unknown");
}

TEST_F(ChecksTest, ReportsSettingsThatTheRelayWouldRefuseByTheirFields) {
  world.relay.spec.max_message_size = "1Ki";
  finds("ConfigValid", "InvalidSettings", "spec.limits.maxMessageSize: '1Ki' is not accepted");
}

TEST_F(ChecksTest, ReportsASmarthostThatIsNoHost) {
  world.relay.spec.smarthosts[0].host = "not a host";
  const auto findings = found();
  ASSERT_FALSE(findings.empty());
  EXPECT_THAT(
    findings[0].message, AllOf(
                           HasSubstr("spec.smarthosts[0].host: 'not a host' is not accepted"),
                           ::testing::Not(HasSubstr("JSON array"))
                         )
  );
}

TEST_F(ChecksTest, ReportsADestinationWhoseProviderIsNotThere) {
  world.relay.spec.delivery.destinations.emplace_back().providers = {"big"};
  finds("ConfigValid", "InvalidSettings", "spec.delivery.destinations: there is no provider 'big'");
}

TEST_F(ChecksTest, ReportsASmarthostOfTheEnvironmentBesideThoseOfTheResource) {
  environment_of(world).environment = {{"SMTP_RELAY_SMARTHOST", "other.test:25"}};
  finds("ConfigValid", "InvalidSettings", "smarthost, smarthosts: only one of them");
}

TEST_F(ChecksTest, RefusesAKeyThatDoesNotSignMail) {
  world.relay.spec.dkim = {{"a.test", "s1", {Kind::secret, "dkim", "private.key"}}};
  auto& secret = add_secret("dkim", {"private.key"});
  finds(
    "SecretsResolved", "InvalidKey",
    "spec.dkim[s1._domainkey.a.test].secretRef: key 'private.key' of Secret mail/dkim is not a private key"
  );
  secret.contents["private.key"] = {resources::Content::signing_key};
  EXPECT_THAT(found(), IsEmpty());
}

TEST_F(ChecksTest, RefusesACertificateWithTheKeyOfAnother) {
  world.relay.spec.smarthosts[0].tls.client_certificate = "client";
  auto& secret = add_secret("client", {"tls.crt", "tls.key"});
  secret.contents["tls.crt"] = {resources::Content::certificates};
  finds("SecretsResolved", "InvalidKey", "key 'tls.key' of Secret mail/client is not the private key of");
  secret.contents["tls.key"] = {resources::Content::key_of_certificate};
  EXPECT_THAT(found(), IsEmpty());
}

TEST_F(ChecksTest, NeedsTheCertificateForClientsWithItsKey) {
  world.relay.spec.tls_certificate = "smtp-tls";
  world.references[{Kind::secret, {"mail", "smtp-tls"}}] = {};
  finds("SecretsResolved", "SecretNotFound", "Secret mail/smtp-tls does not exist; create it");
  auto& secret = add_secret("smtp-tls", {"tls.crt"});
  EXPECT_THAT(found(), SizeIs(2)) << "the key is missing, and the certificate is none";
  secret.contents["tls.crt"] = {resources::Content::certificates};
  finds(
    "SecretsResolved", "SecretKeyMissing", "Secret mail/smtp-tls has no key 'tls.key'; its keys: tls.crt"
  );
  secret.keys.insert("tls.key");
  finds(
    "SecretsResolved", "InvalidKey",
    "spec.tls.secretRef: key 'tls.key' of Secret mail/smtp-tls is not the private key of the certificate"
  );
  secret.contents["tls.key"] = {resources::Content::key_of_certificate};
  EXPECT_THAT(found(), IsEmpty());
  secret.contents["tls.crt"] = {};
  finds(
    "SecretsResolved", "InvalidCertificate",
    "spec.tls.secretRef: key 'tls.crt' of Secret mail/smtp-tls is not a list of certificates in PEM"
  );
}

TEST_F(ChecksTest, RefusesARedactionKeyThatIsTooShort) {
  world.relay.spec.redaction_key = api::KeyReference{Kind::secret, "log", "key"};
  auto& secret = add_secret("log", {"key"});
  finds(
    "SecretsResolved", "InvalidKey", "spec.logging.keySecretRef: key 'key' of Secret mail/log is too short"
  );
  secret.contents["key"] = {resources::Content::redaction_key};
  EXPECT_THAT(found(), IsEmpty());
}

TEST_F(ChecksTest, NeedsUsersOfWhoMayLogIn) {
  world.relay.spec.auth_users = api::KeyReference{Kind::secret, "smtp-users", "users"};
  world.relay.spec.auth_requires_tls = false;
  world.references[{Kind::secret, {"mail", "smtp-users"}}] = {};
  finds("SecretsResolved", "SecretNotFound", "Secret mail/smtp-users does not exist; create it");
  auto& secret = add_secret("smtp-users", {"other"});
  finds("SecretsResolved", "SecretKeyMissing", "Secret mail/smtp-users has no key 'users'; its keys: other");
  secret.keys.insert("users");
  finds(
    "SecretsResolved", "InvalidUsers",
    "spec.auth.secretRef: key 'users' of Secret mail/smtp-users is not a list of users"
  );
  secret.contents["users"] = {resources::Content::users};
  EXPECT_THAT(found(), IsEmpty());
}

TEST_F(ChecksTest, NeedsTlsForUsersUnlessToldOtherwise) {
  world.relay.spec.auth_users = api::KeyReference{Kind::secret, "smtp-users", "users"};
  add_secret("smtp-users", {"users"}).contents["users"] = {resources::Content::users};
  finds("ConfigValid", "InvalidSettings", "spec.auth.secretRef: AUTH needs TLS");
}

TEST_F(ChecksTest, NamesAMissingKeyOnceHoweverManyFieldsNameIt) {
  world.relay.spec.smarthosts.push_back({"second", "second.test"});
  world.relay.spec.smarthosts[1].tls.ca = world.relay.spec.smarthosts[0].tls.ca;
  authorities_of(world).keys = {};
  finds("SecretsResolved", "ConfigMapKeyMissing", "ConfigMap mail/authorities has no key 'ca.crt'");
}

TEST_F(ChecksTest, NeedsTheKeysOfAnAuthentication) {
  world.relay.spec.passwd_client.reset();
  world.relay.spec.smarthosts[0].auth = api::Auth{"Plain", "user"};
  add_secret("user", {"username"});
  finds("SecretsResolved", "SecretKeyMissing", "Secret mail/user has no key 'password'; its keys: username");
}

TEST_F(ChecksTest, DeliversByMxWhereNoSmarthostIsNamed) {
  world.relay.spec.smarthosts.clear();
  EXPECT_THAT(found(), IsEmpty());
}

TEST_F(ChecksTest, ChecksTheEnvironmentThatWouldWinOverTheSettings) {
  environment_of(world).environment = {{"SMTP_RELAY_PORT", "tcp://10.0.0.1:25"}};
  finds(
    "ConfigValid", "InvalidSettings",
    "ConfigMaps of spec.envFrom: environment: SMTP_RELAY_PORT: unknown setting"
  );
}

TEST_F(ChecksTest, RefusesVariablesOfSettingsThatThePodReliesOn) {
  for (const std::string name :
       {"LISTEN", "HTTP_LISTEN", "METRICS_LISTEN", "ADMIN_LISTEN", "SPOOL_PATH", "POD_ANNOTATIONS",
        "PASSWD_CLIENT", "MX_CA", "DNS_TRUST_ANCHORS", "LOG_REDACTION_KEY"}) {
    const bool is_address = name.ends_with("LISTEN");
    environment_of(world).environment = {{"SMTP_RELAY_" + name, is_address ? "127.0.0.1:1" : "/tmp/x"}};
    finds("ConfigValid", "InvalidSettings", "ConfigMaps of spec.envFrom: SMTP_RELAY_" + name + ": ports");
  }
}

TEST_F(ChecksTest, LetsNoVariableNameAnotherCertificateForClients) {
  world.relay.spec.tls_certificate = "smtp-tls";
  auto& secret = add_secret("smtp-tls", {"tls.crt", "tls.key"});
  secret.contents["tls.crt"] = {resources::Content::certificates};
  secret.contents["tls.key"] = {resources::Content::key_of_certificate};
  EXPECT_THAT(found(), IsEmpty());
  for (const std::string name : {"SMTP_RELAY_TLS_CERTIFICATE_FILE", "SMTP_RELAY_TLS_KEY_FILE"}) {
    environment_of(world).environment = {{name, "/tmp/x"}};
    finds("ConfigValid", "InvalidSettings", "ConfigMaps of spec.envFrom: " + name + ": ports");
  }
}

TEST_F(ChecksTest, LetsLaterConfigMapsWin) {
  world.relay.spec.env_from = {"extra", "more"};
  environment_of(world).environment = {{"SMTP_RELAY_LAME_DUCK", "nonsense"}};
  auto more = environment_of(world);
  more.environment = {{"SMTP_RELAY_LAME_DUCK", "5s"}};
  world.references[{api::KeyReference::Kind::config_map, {"mail", "more"}}] = more;
  EXPECT_THAT(found(), IsEmpty());
}

TEST_F(ChecksTest, ReportsAllThatIsWrongAtOnce) {
  secret_of(world) = {};
  world.relay.spec.lame_duck = "long";
  world.relay.spec.retry_max_age = "1s";
  EXPECT_THAT(found(), SizeIs(3));
}

TEST_F(ChecksTest, TakesNothingOverThatIsSomebodyElses) {
  world.config_map = owned_by("u-2");
  finds("Ready", "NameConflict", "ConfigMap edge-smtp-relay belongs to Other x (uid u-2)");
}

TEST_F(ChecksTest, TakesNoServiceOver) {
  world.service = owned_by("u-2");
  finds("Ready", "NameConflict", "Service edge-smtp-relay belongs to Other x (uid u-2)");
}

TEST_F(ChecksTest, LeavesWhatAnotherManagerKeepsToIt) {
  const auto managed_by = [](const char* manager) {
    return Json{{"metadata", {{"labels", {{"app.kubernetes.io/managed-by", manager}}}}}};
  };
  world.config_map = managed_by("Helm");
  const auto findings = findings_of(world, effective_settings(world));
  ASSERT_EQ(findings.size(), 1U);
  EXPECT_EQ(findings[0].reason, "NameConflict");
  EXPECT_NE(findings[0].message.find("ConfigMap edge-smtp-relay is managed by Helm"), std::string::npos);
  world.config_map = managed_by("smtp-relay-operator");
  EXPECT_TRUE(findings_of(world, effective_settings(world)).empty());
}

TEST_F(ChecksTest, TakesOverWhatIsItsOwnOrNobodys) {
  world.config_map = owned_by("u-1");
  world.daemon_set = Json{{"metadata", Json::object()}};
  EXPECT_THAT(found(), IsEmpty());
}

TEST_F(ChecksTest, NeedTrustAnchorsInTheirConfigMap) {
  world.relay.spec.delivery.trust_anchors = "anchors";
  auto& anchors = world.references[{Kind::config_map, {"mail", "anchors"}}];
  finds("SecretsResolved", "ConfigMapNotFound", "ConfigMap mail/anchors does not exist");
  anchors.exists = true;
  finds("SecretsResolved", "ConfigMapKeyMissing", "ConfigMap mail/anchors has no key; each should hold");
  anchors.keys = {"corp.ds"};
  EXPECT_THAT(found(), IsEmpty());
}

}  // namespace
}  // namespace op::smtp_relay
