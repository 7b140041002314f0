#include "operator/resources/volumes.hpp"

#include <gtest/gtest.h>

namespace op::resources {
namespace {

using Kind = api::KeyReference::Kind;

class VolumesTest : public ::testing::Test {
 protected:
  VolumesTest() { relay.spec.smarthosts = {{"primary", "smtp.test"}}; }
  [[nodiscard]] Blueprint blueprint() const { return {relay, "image:1", "/srv", "", {}, anchors}; }
  [[nodiscard]] std::string key() const { return settings_key(relay.spec, anchors); }
  /// The volume that is mounted there, or null.
  [[nodiscard]] Json mounted_at(const std::string& path) const {
    const auto all = volumes(blueprint());
    for (const auto& mount : volume_mounts(blueprint())) {
      if (mount["mountPath"] != path) continue;
      EXPECT_EQ(mount["readOnly"], true);
      for (const auto& volume : all) {
        if (volume["name"] == mount["name"]) return volume;
      }
    }
    return nullptr;
  }
  static Json item(const std::string& key) { return {{"key", key}, {"path", key}, {"mode", 0440}}; }
  void add_dkim(const std::string& secret, const std::string& file) {
    relay.spec.dkim.push_back({"a.test", file, {Kind::secret, secret, file}});
  }
  api::SmtpRelay relay;
  TrustAnchors anchors;
};

TEST_F(VolumesTest, HoldEachReferenceOnceWithTheKeysThatAreUsed) {
  add_dkim("keys", "b.pem");
  add_dkim("keys", "a.pem");
  relay.spec.redaction_key = api::KeyReference{Kind::secret, "keys", "log"};
  const auto volume = mounted_at("/etc/smtp-relay/refs/secret-keys");
  EXPECT_EQ(volume["secret"]["secretName"], "keys");
  EXPECT_EQ(volume["secret"]["items"], Json::array({item("a.pem"), item("b.pem"), item("log")}));
  EXPECT_EQ(volume["secret"]["defaultMode"], 0440);
  EXPECT_EQ(volume["secret"]["optional"], false);
}

TEST_F(VolumesTest, TellASecretFromAConfigMapOfTheSameName) {
  relay.spec.smarthosts[0].tls.ca = api::KeyReference{Kind::config_map, "ca", "x.pem"};
  relay.spec.delivery.ca = api::KeyReference{Kind::secret, "ca", "y.pem"};
  EXPECT_EQ(mounted_at("/etc/smtp-relay/refs/configmap-ca")["configMap"]["name"], "ca");
  EXPECT_EQ(mounted_at("/etc/smtp-relay/refs/secret-ca")["secret"]["items"], Json::array({item("y.pem")}));
}

TEST_F(VolumesTest, HaveNamesThatKubernetesAcceptsForTheLongestReference) {
  const std::string longest = std::string(200, 'x') + ".corp.example";
  relay.spec.smarthosts[0].tls.ca = api::KeyReference{Kind::config_map, longest, "ca.crt"};
  const auto name = mounted_at("/etc/smtp-relay/refs/configmap-" + longest)["name"].get<std::string>();
  EXPECT_LE(name.size(), 63U);
  EXPECT_EQ(name.find('.'), std::string::npos);
}

TEST_F(VolumesTest, HoldTheTrustAnchorsThatTheConfigMapHas) {
  relay.spec.delivery.trust_anchors = "anchors";
  anchors = {"corp.ds", "lab.ds"};
  const auto volume = mounted_at("/etc/smtp-relay/refs/configmap-anchors");
  EXPECT_EQ(volume["configMap"]["items"], Json::array({item("corp.ds"), item("lab.ds")}));
}

TEST_F(VolumesTest, HoldACertificateWithItsKey) {
  relay.spec.smarthosts[0].tls.client_certificate = "client";
  const auto volume = mounted_at("/etc/smtp-relay/refs/secret-client");
  EXPECT_EQ(volume["secret"]["items"], Json::array({item("tls.crt"), item("tls.key")}));
}

TEST_F(VolumesTest, HoldTheCertificateForClientsAndChangeWithItsNameAlone) {
  EXPECT_EQ(mounted_at("/etc/smtp-relay/refs/secret-smtp-tls"), nullptr);
  relay.spec.tls_certificate = "smtp-tls";
  const auto volume = mounted_at("/etc/smtp-relay/refs/secret-smtp-tls");
  EXPECT_EQ(volume["secret"]["secretName"], "smtp-tls");
  EXPECT_EQ(volume["secret"]["items"], Json::array({item("tls.crt"), item("tls.key")}));
  const auto before = volumes(blueprint());
  relay.spec.tls_mode = "Required";
  relay.spec.tls_min_version = "1.3";
  EXPECT_EQ(volumes(blueprint()), before) << "mode and version are live";
}

TEST_F(VolumesTest, HoldWhatAnAuthenticationReadsAndNoMore) {
  relay.spec.smarthosts[0].auth = api::Auth{"Plain", "credentials"};
  const std::string place = "/etc/smtp-relay/refs/secret-credentials";
  EXPECT_EQ(mounted_at(place)["secret"]["items"], Json::array({item("password"), item("username")}));
  relay.spec.smarthosts[0].auth->token = api::Token{"https://login.test", "", "id", "", "refresh"};
  EXPECT_EQ(
    mounted_at(place)["secret"]["items"], Json::array({item("id"), item("refresh"), item("username")})
  ) << "no password";
}

TEST_F(VolumesTest, AreTheSameInWhateverOrderTheResourceNamesThem) {
  add_dkim("first", "a.pem");
  add_dkim("second", "b.pem");
  const auto before = volumes(blueprint());
  const auto before_key = key();
  std::swap(relay.spec.dkim[0], relay.spec.dkim[1]);
  EXPECT_EQ(volumes(blueprint()), before);
  EXPECT_EQ(key(), before_key);
}

TEST_F(VolumesTest, GiveTheSettingsAnotherPlaceWithEachReference) {
  std::set<std::string> keys{key()};
  const auto is_new = [&] { return keys.insert(key()).second; };
  relay.spec.passwd_client = api::KeyReference{Kind::secret, "credentials", "passwd.client"};
  EXPECT_TRUE(is_new());
  relay.spec.smarthosts[0].tls.ca = api::KeyReference{Kind::secret, "ca", "ca.crt"};
  EXPECT_TRUE(is_new());
  relay.spec.smarthosts[0].tls.client_certificate = "client";
  EXPECT_TRUE(is_new());
  relay.spec.smarthosts[0].auth = api::Auth{"Plain", "user"};
  EXPECT_TRUE(is_new());
  relay.spec.delivery.ca = api::KeyReference{Kind::secret, "mx", "ca.crt"};
  EXPECT_TRUE(is_new());
  relay.spec.delivery.trust_anchors = "anchors";
  anchors = {"a"};
  EXPECT_TRUE(is_new());
  anchors = {"a", "b"};
  EXPECT_TRUE(is_new()) << "of the keys of trust anchors too";
  add_dkim("dkim", "a.pem");
  EXPECT_TRUE(is_new());
  relay.spec.redaction_key = api::KeyReference{Kind::secret, "log", "key"};
  EXPECT_TRUE(is_new());
  relay.spec.tls_certificate = "smtp-tls";
  EXPECT_TRUE(is_new());
  relay.spec.auth_users = api::KeyReference{Kind::secret, "smtp-users", "users"};
  EXPECT_TRUE(is_new());
}

}  // namespace
}  // namespace op::resources
