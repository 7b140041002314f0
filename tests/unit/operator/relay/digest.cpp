#include "operator/relay/digest.hpp"

#include <gmock/gmock.h>

#include "relay/base/text.hpp"

namespace op::smtp_relay {
namespace {

using ::testing::ElementsAre;
using Kind = api::KeyReference::Kind;

// A self-signed certificate made for this test; its key was thrown away.
const std::string kCertificate =
  "-----BEGIN CERTIFICATE-----\n"
  "MIIBcjCCARmgAwIBAgIUFPs7TlaO19LbmjwOPEu5FCtVHj4wCgYIKoZIzj0EAwIw\n"
  "DzENMAsGA1UEAwwEdGVzdDAeFw0yNjExMjQwNDIyMzRaFw0zNjExMjEwNDIyMzRa\n"
  "MA8xDTALBgNVBAMMBHRlc3QwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAASYnKtg\n"
  "POh9p3DNyuq1PvHeaQ1nNwjbYxOKDVRDrIxc6mCTdyW9plDo3bPUu6H14hHj308O\n"
  "FajnKmCnZ+KBscrEo1MwUTAdBgNVHQ4EFgQUK/fWF4udAXRRILDUW7eDx1v7Qzgw\n"
  "HwYDVR0jBBgwFoAUK/fWF4udAXRRILDUW7eDx1v7QzgwDwYDVR0TAQH/BAUwAwEB\n"
  "/zAKBggqhkjOPQQDAgNHADBEAiBHXrPmUeUdz9aQZDg2rx5CqqAW57bZrL5aWzwm\n"
  "ImRxQQIgYD/WjWMhYl6lPuswCcIsOT2cE0rpzO9P3f+q1sDwac4=\n"
  "-----END CERTIFICATE-----\n";

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
  const auto in_secret =
    digest(Kind::secret, object({{"ca.crt", relay::base64(kCertificate)}, {"other", relay::base64("x")}}));
  EXPECT_THAT(in_secret.certificates, ElementsAre("ca.crt"));
  const auto in_config_map = digest(Kind::config_map, object({{"ca.crt", kCertificate + kCertificate}}));
  EXPECT_THAT(in_config_map.certificates, ElementsAre("ca.crt"));
}

TEST(Digest, TakesNothingElseForACertificate) {
  EXPECT_FALSE(holds_certificates(""));
  EXPECT_FALSE(holds_certificates("-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n"));
  EXPECT_FALSE(holds_certificates(kCertificate + "-----BEGIN CERTIFICATE-----\nMIIB\n"));
  EXPECT_FALSE(holds_certificates("-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n"));
}

TEST(Digest, AsksNobodyForThePasswordOfEncryptedPem) {
  EXPECT_FALSE(holds_certificates(
    "-----BEGIN CERTIFICATE-----\nProc-Type: 4,ENCRYPTED\n"
    "DEK-Info: AES-128-CBC,00112233445566778899AABBCCDDEEFF\n\nMIIBcjCCARmgAwIBAgIUFPs7TlaO1w==\n"
    "-----END CERTIFICATE-----\n"
  ));
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
