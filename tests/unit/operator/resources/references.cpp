#include "operator/resources/references.hpp"

#include <gmock/gmock.h>

namespace op::resources {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;
using Kind = api::KeyReference::Kind;

api::Spec with_smarthost() {
  api::Spec spec;
  spec.smarthosts = {{"primary", "smtp.test"}};
  return spec;
}

TEST(References, AreNoneWhereNothingIsNamed) { EXPECT_THAT(mounted_keys(with_smarthost()), IsEmpty()); }

TEST(References, OfAClientCertificateAreItsTwoKeys) {
  auto spec = with_smarthost();
  spec.smarthosts[0].tls.client_certificate = "client";
  const auto keys = mounted_keys(spec);
  ASSERT_THAT(keys, SizeIs(2));
  EXPECT_EQ(keys[0].key, (api::KeyReference{Kind::secret, "client", "tls.crt"}));
  EXPECT_EQ(keys[0].content, Content::certificates);
  EXPECT_EQ(keys[1].key, (api::KeyReference{Kind::secret, "client", "tls.key"}));
  EXPECT_EQ(keys[1].content, Content::key_of_certificate);
  EXPECT_EQ(keys[1].field, "spec.smarthosts[primary].tls.clientCertificateSecretRef");
}

TEST(References, OfTlsForClientsAreTheTwoKeysOfItsCertificateWhateverTheMode) {
  api::Spec spec;
  spec.tls_certificate = "smtp-tls";
  for (const auto* mode : {"None", "Opportunistic", "Required"}) {
    spec.tls_mode = mode;
    const auto keys = mounted_keys(spec);
    ASSERT_THAT(keys, SizeIs(2));
    EXPECT_EQ(keys[0].key, (api::KeyReference{Kind::secret, "smtp-tls", "tls.crt"}));
    EXPECT_EQ(keys[0].content, Content::certificates);
    EXPECT_EQ(keys[1].key, (api::KeyReference{Kind::secret, "smtp-tls", "tls.key"}));
    EXPECT_EQ(keys[1].content, Content::key_of_certificate);
    for (const auto& key : keys) EXPECT_EQ(key.field, "spec.tls.secretRef");
  }
}

TEST(References, OfUsersAreOneKeyOfASecret) {
  api::Spec spec;
  spec.auth_users = api::KeyReference{Kind::secret, "smtp-users", "users"};
  const auto keys = mounted_keys(spec);
  ASSERT_THAT(keys, SizeIs(1));
  EXPECT_EQ(keys[0].key, (api::KeyReference{Kind::secret, "smtp-users", "users"}));
  EXPECT_EQ(keys[0].content, Content::users);
  EXPECT_EQ(keys[0].field, "spec.auth.secretRef");
}

TEST(References, SayWhatEachValueMustBe) {
  api::Spec spec;
  spec.delivery.ca = api::KeyReference{Kind::config_map, "ca", "ca.crt"};
  spec.dkim = {{"a.test", "s1", {Kind::secret, "dkim", "private.key"}}};
  spec.redaction_key = api::KeyReference{Kind::secret, "log", "key"};
  const auto keys = mounted_keys(spec);
  ASSERT_THAT(keys, SizeIs(3));
  EXPECT_EQ(keys[0].content, Content::certificates);
  EXPECT_EQ(keys[1].content, Content::signing_key);
  EXPECT_EQ(keys[1].field, "spec.dkim[s1._domainkey.a.test].secretRef");
  EXPECT_EQ(keys[2].content, Content::redaction_key);
}

TEST(References, LieInAFolderForEachSecretAndConfigMap) {
  EXPECT_EQ(path_of({Kind::secret, "a.b", "tls.key"}), "/etc/smtp-relay/refs/secret-a.b/tls.key");
  EXPECT_EQ(path_of({Kind::config_map, "a", "ca.crt"}), "/etc/smtp-relay/refs/configmap-a/ca.crt");
}

TEST(References, OfTrustAnchorsAreTheKeysThatAreThere) {
  api::Spec spec;
  EXPECT_THAT(anchor_keys(spec, {"a"}), IsEmpty());
  spec.delivery.trust_anchors = "anchors";
  EXPECT_THAT(anchor_keys(spec, {}), IsEmpty());
  EXPECT_THAT(
    anchor_keys(spec, {"b", "a"}),
    ::testing::ElementsAre(
      api::KeyReference{Kind::config_map, "anchors", "a"}, api::KeyReference{Kind::config_map, "anchors", "b"}
    )
  );
}

}  // namespace
}  // namespace op::resources
