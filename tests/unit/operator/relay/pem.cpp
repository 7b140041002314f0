#include "operator/relay/pem.hpp"

#include <gtest/gtest.h>
#include <openssl/err.h>

#include "tests/support/certificates.hpp"

namespace op::smtp_relay {
namespace {

using relay::test::Certificate;
using relay::test::CertificateWish;
using relay::test::key_pem;
using relay::test::make_certificate;

Certificate rsa(unsigned bits) {
  CertificateWish wish;
  wish.rsa_bits = bits;
  return make_certificate(wish);
}

std::string key_of_kind(const char* kind) {
  return key_pem({nullptr, {EVP_PKEY_Q_keygen(nullptr, nullptr, kind), EVP_PKEY_free}});
}

TEST(Pem, HoldsOneCertificateOrMore) {
  const auto one = relay::test::pem(make_certificate({}));
  EXPECT_TRUE(holds_certificates(one));
  EXPECT_TRUE(holds_certificates("# our own\n" + one + one));
}

TEST(Pem, HoldsNoCertificatesWhereOneIsBroken) {
  const auto one = relay::test::pem(make_certificate({}));
  EXPECT_FALSE(holds_certificates(""));
  EXPECT_FALSE(holds_certificates("-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n"));
  EXPECT_FALSE(holds_certificates(one + "-----BEGIN CERTIFICATE-----\nMIIB\n"));
  EXPECT_FALSE(holds_certificates("-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n"));
}

TEST(Pem, AsksNobodyForThePasswordOfAnEncryptedCertificate) {
  EXPECT_FALSE(holds_certificates(
    "-----BEGIN CERTIFICATE-----\nProc-Type: 4,ENCRYPTED\n"
    "DEK-Info: AES-128-CBC,00112233445566778899AABBCCDDEEFF\n\nMIIBcjCCARmgAwIBAgIUFPs7TlaO1w==\n"
    "-----END CERTIFICATE-----\n"
  ));
}

TEST(Pem, HoldsAKeyThatSignsMail) {
  EXPECT_TRUE(is_signing_key(key_pem(rsa(1024))));
  EXPECT_TRUE(is_signing_key(key_of_kind("ED25519")));
}

TEST(Pem, HoldsNoKeyThatNobodyWouldVerify) {
  EXPECT_FALSE(is_signing_key(key_pem(rsa(512)))) << "RFC 8301: 1024 bits at least";
  EXPECT_FALSE(is_signing_key(key_pem(make_certificate({})))) << "P-256 is no algorithm of DKIM";
  EXPECT_FALSE(is_signing_key(key_of_kind("X25519")));
  EXPECT_FALSE(is_signing_key(key_pem(rsa(1024), "sesame"))) << "it has a passphrase";
  EXPECT_FALSE(is_signing_key(relay::test::pem(rsa(1024)))) << "a certificate";
  EXPECT_FALSE(is_signing_key(""));
}

TEST(Pem, HoldsTheKeyOfTheFirstCertificate) {
  const auto ours = make_certificate({});
  const auto authority = make_certificate({});
  const auto chain = relay::test::pem(ours) + relay::test::pem(authority);
  EXPECT_TRUE(is_key_of(chain, key_pem(ours)));
  EXPECT_FALSE(is_key_of(chain, key_pem(authority)));
  EXPECT_FALSE(is_key_of(chain, key_pem(ours, "sesame")));
  EXPECT_FALSE(is_key_of("", key_pem(ours)));
  EXPECT_FALSE(is_key_of(chain, ""));
}

TEST(Pem, LeavesNoErrorsForTheNextCaller) {
  ERR_clear_error();
  (void)holds_certificates("x");
  (void)is_signing_key("-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n");
  (void)is_key_of(relay::test::pem(make_certificate({})), key_pem(make_certificate({})));
  EXPECT_EQ(ERR_peek_error(), 0U);
}

}  // namespace
}  // namespace op::smtp_relay
