#include "operator/relay/pem.hpp"

#include <memory>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <string_view>

namespace op::smtp_relay {
namespace {

constexpr std::string_view kBegin = "-----BEGIN CERTIFICATE-----";
/// What the relay signs with.
constexpr int kFewestRsaBits = 1024;
constexpr int kMostRsaBits = 4096;

struct Free {
  void operator()(BIO* bio) const { BIO_free(bio); }
  void operator()(X509* certificate) const { X509_free(certificate); }
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
using Certificate = std::unique_ptr<X509, Free>;
using PrivateKey = std::unique_ptr<EVP_PKEY, Free>;

/// OpenSSL would ask for the password of encrypted PEM at the terminal, and wait.
int no_password(char*, int, int, void*) { return -1; }

std::size_t count(std::string_view text, std::string_view what) {
  std::size_t found = 0;
  for (auto at = text.find(what); at != std::string_view::npos; at = text.find(what, at + what.size()))
    ++found;
  return found;
}

/// PEM text as OpenSSL reads it, one object after the other.
class Reader {
 public:
  explicit Reader(const std::string& pem)
      : source_(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()))) {}
  // What was not found, and the end of the text, are left as errors for the next call on this thread.
  ~Reader() { ERR_clear_error(); }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  Certificate certificate() {
    return Certificate(PEM_read_bio_X509(source_.get(), nullptr, no_password, nullptr));
  }
  PrivateKey key() {
    return PrivateKey(PEM_read_bio_PrivateKey(source_.get(), nullptr, no_password, nullptr));
  }

 private:
  std::unique_ptr<BIO, Free> source_;
};

}  // namespace

bool holds_certificates(const std::string& pem) {
  Reader reader(pem);
  std::size_t read = 0;
  while (reader.certificate()) ++read;
  return read > 0 && read == count(pem, kBegin);
}

bool is_signing_key(const std::string& pem) {
  const auto key = Reader(pem).key();
  if (!key) return false;
  const auto kind = EVP_PKEY_get_base_id(key.get());
  const auto bits = EVP_PKEY_get_bits(key.get());
  return kind == EVP_PKEY_ED25519 || (kind == EVP_PKEY_RSA && bits >= kFewestRsaBits && bits <= kMostRsaBits);
}

bool is_key_of(const std::string& certificates, const std::string& pem) {
  const auto certificate = Reader(certificates).certificate();
  const auto key = Reader(pem).key();
  const bool belongs = certificate && key && X509_check_private_key(certificate.get(), key.get()) == 1;
  ERR_clear_error();  // of keys that do not belong together
  return belongs;
}

}  // namespace op::smtp_relay
