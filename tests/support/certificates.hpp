#pragma once
/// Certificates made for a test, good ones and bad ones, and the TLSA data of them.

#include <cstdint>
#include <fstream>
#include <gtest/gtest.h>
#include <memory>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/sha.h>
#include <openssl/x509v3.h>
#include <string>

namespace relay::test {

struct Certificate {
  std::shared_ptr<X509> x509;
  std::shared_ptr<EVP_PKEY> key;
};

struct CertificateWish {
  std::string name = "mail.example";             // the common name
  std::string alternative = "DNS:mail.example";  // empty: no subjectAltName
  int first_day = -1;                            // from now
  int last_day = 1;
  unsigned rsa_bits = 0;  // 0: P-256
  bool is_authority = false;
};

inline void add_extension(X509* certificate, int nid, const std::string& value) {
  auto* extension = X509V3_EXT_conf_nid(nullptr, nullptr, nid, value.c_str());
  ASSERT_NE(extension, nullptr) << value;
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
}

/// @param issuer  nullptr: signs itself
inline Certificate make_certificate(const CertificateWish& wish, const Certificate* issuer = nullptr) {
  constexpr long kDay = 24L * 60 * 60;
  static std::int64_t serial = 1;
  auto* key = wish.rsa_bits == 0 ? EVP_EC_gen("P-256") : EVP_RSA_gen(wish.rsa_bits);
  const Certificate made{{X509_new(), X509_free}, {key, EVP_PKEY_free}};
  auto* x509 = made.x509.get();
  X509_set_version(x509, X509_VERSION_3);
  ASN1_INTEGER_set_int64(X509_get_serialNumber(x509), serial++);
  X509_gmtime_adj(X509_getm_notBefore(x509), wish.first_day * kDay);
  X509_gmtime_adj(X509_getm_notAfter(x509), wish.last_day * kDay);
  X509_set_pubkey(x509, key);
  const auto* name = reinterpret_cast<const unsigned char*>(wish.name.c_str());
  X509_NAME_add_entry_by_txt(X509_get_subject_name(x509), "CN", MBSTRING_UTF8, name, -1, -1, 0);
  X509_set_issuer_name(x509, X509_get_subject_name(issuer != nullptr ? issuer->x509.get() : x509));
  if (wish.is_authority) add_extension(x509, NID_basic_constraints, "critical,CA:TRUE");
  else if (!wish.alternative.empty()) add_extension(x509, NID_subject_alt_name, wish.alternative);
  EXPECT_GT(X509_sign(x509, issuer != nullptr ? issuer->key.get() : key, EVP_sha256()), 0);
  return made;
}

inline Certificate make_authority(const std::string& name) {
  CertificateWish wish;
  wish.name = name;
  wish.is_authority = true;
  return make_certificate(wish);
}

inline std::string der(const Certificate& certificate) {
  unsigned char* octets = nullptr;
  const auto size = i2d_X509(certificate.x509.get(), &octets);
  std::string text(reinterpret_cast<char*>(octets), static_cast<std::size_t>(size));
  OPENSSL_free(octets);
  return text;
}

/// SubjectPublicKeyInfo: TLSA selector 1.
inline std::string public_key(const Certificate& certificate) {
  unsigned char* octets = nullptr;
  const auto size = i2d_PUBKEY(certificate.key.get(), &octets);
  std::string text(reinterpret_cast<char*>(octets), static_cast<std::size_t>(size));
  OPENSSL_free(octets);
  return text;
}

inline std::string sha256(const std::string& octets) {
  std::string digest(SHA256_DIGEST_LENGTH, '\0');
  SHA256(
    reinterpret_cast<const unsigned char*>(octets.data()), octets.size(),
    reinterpret_cast<unsigned char*>(digest.data())
  );
  return digest;
}

inline void write_text(const std::string& path, const std::string& text) { std::ofstream(path) << text; }

inline std::string to_text(BIO* memory) {
  char* octets = nullptr;
  const auto size = BIO_get_mem_data(memory, &octets);
  std::string text(octets, static_cast<std::size_t>(size));
  BIO_free(memory);
  return text;
}

inline std::string pem(const Certificate& certificate) {
  auto* memory = BIO_new(BIO_s_mem());
  PEM_write_bio_X509(memory, certificate.x509.get());
  return to_text(memory);
}

/// @param passphrase  empty: in the clear
inline std::string key_pem(const Certificate& certificate, const std::string& passphrase = {}) {
  auto* memory = BIO_new(BIO_s_mem());
  const auto* cipher = passphrase.empty() ? nullptr : EVP_aes_128_cbc();
  const auto* octets = reinterpret_cast<const unsigned char*>(passphrase.data());
  const auto size = static_cast<int>(passphrase.size());
  PEM_write_bio_PrivateKey(memory, certificate.key.get(), cipher, octets, size, nullptr, nullptr);
  return to_text(memory);
}

}  // namespace relay::test
