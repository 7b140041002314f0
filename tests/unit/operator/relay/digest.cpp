#include "operator/relay/digest.hpp"

#include <gmock/gmock.h>

#include "relay/base/text.hpp"
#include "tests/support/certificates.hpp"
#include "tests/support/users.hpp"

namespace op::smtp_relay {
namespace {

using relay::test::key_pem;
using relay::test::make_certificate;
using relay::test::pem;
using resources::Content;
using ::testing::ElementsAre;
using Kind = api::KeyReference::Kind;

Json object(const Json& data) { return {{"metadata", {{"resourceVersion", "5"}}}, {"data", data}}; }

TEST(Digest, OfASecretKeepsNamesOfKeysAndNoValue) {
  const auto known = digest(Kind::secret, object({{"passwd.client", relay::base64("host:user:sesame")}}));
  EXPECT_TRUE(known.exists);
  EXPECT_EQ(known.resource_version, "5");
  EXPECT_THAT(known.keys, ElementsAre("passwd.client"));
  EXPECT_TRUE(known.environment.empty());
  EXPECT_TRUE(known.content_hash.empty()) << "a hash of a short password is as good as the password";
}

TEST(Digest, FindsCertificatesInEitherKind) {
  const auto certificate = pem(make_certificate({}));
  const auto in_secret =
    digest(Kind::secret, object({{"ca.crt", relay::base64(certificate)}, {"other", relay::base64("x")}}));
  EXPECT_TRUE(in_secret.contents.at("ca.crt").contains(Content::certificates));
  EXPECT_TRUE(in_secret.contents.at("other").empty());
  const auto in_config_map = digest(Kind::config_map, object({{"ca.crt", certificate + certificate}}));
  EXPECT_TRUE(in_config_map.contents.at("ca.crt").contains(Content::certificates));
}

TEST(Digest, FindsTheKeyOfTheCertificateBesideIt) {
  const auto ours = make_certificate({});
  const auto other = make_certificate({});
  const auto known = digest(
    Kind::secret, object(
                    {{"tls.crt", relay::base64(pem(ours))},
                     {"tls.key", relay::base64(key_pem(ours))},
                     {"other.key", relay::base64(key_pem(other))}}
                  )
  );
  EXPECT_TRUE(known.contents.at("tls.crt").contains(Content::certificates));
  EXPECT_TRUE(known.contents.at("tls.key").contains(Content::key_of_certificate));
  EXPECT_FALSE(known.contents.at("other.key").contains(Content::key_of_certificate));
}

TEST(Digest, FindsUsersWhereTheRelayWould) {
  const auto known = digest(
    Kind::secret, object(
                    {{"users", relay::base64("# who\n" + relay::test::kUserLine)},
                     {"nobody", relay::base64("# nobody\n")},
                     {"half", relay::base64(relay::test::kUserLine + "\nother:in the clear\n")}}
                  )
  );
  EXPECT_TRUE(known.contents.at("users").contains(Content::users));
  EXPECT_FALSE(known.contents.at("nobody").contains(Content::users));
  EXPECT_FALSE(known.contents.at("half").contains(Content::users));
}

TEST(Digest, FindsKeysThatSignAndKeysThatRedact) {
  relay::test::CertificateWish wish;
  wish.rsa_bits = 1024;
  const auto known = digest(
    Kind::secret, object(
                    {{"private.key", relay::base64(key_pem(make_certificate(wish)))},
                     {"long", relay::base64("0123456789abcdef")},
                     {"short", relay::base64("0123456789abcde")}}
                  )
  );
  EXPECT_TRUE(known.contents.at("private.key").contains(Content::signing_key));
  EXPECT_EQ(known.contents.at("long"), std::set{Content::redaction_key});
  EXPECT_TRUE(known.contents.at("short").empty());
}

TEST(Digest, OfAConfigMapKeepsTheRelaysEnvironmentAndAHashOfAll) {
  const auto known = digest(Kind::config_map, object({{"SMTP_RELAY_LAME_DUCK", "5s"}, {"OTHER", "x"}}));
  EXPECT_EQ(known.environment, (std::map<std::string, std::string>{{"SMTP_RELAY_LAME_DUCK", "5s"}}));
  EXPECT_NE(
    known.content_hash,
    digest(Kind::config_map, object({{"SMTP_RELAY_LAME_DUCK", "5s"}, {"OTHER", "y"}})).content_hash
  );
}

TEST(Digest, SurvivesObjectsWithoutData) {
  EXPECT_TRUE(digest(Kind::secret, Json::object()).exists);
  EXPECT_TRUE(digest(Kind::config_map, {{"data", nullptr}}).keys.empty());
  EXPECT_THAT(digest(Kind::secret, object({{"a", "%%not base64"}})).keys, ElementsAre("a"));
}

}  // namespace
}  // namespace op::smtp_relay
