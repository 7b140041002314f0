#include "relay/dkim/key.hpp"

#include <array>
#include <limits>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <optional>

#include "relay/base/text.hpp"

namespace relay::dkim {
namespace {

struct FreeBio {
  void operator()(BIO* bio) const { BIO_free(bio); }
};
struct FreeContext {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};
using Context = std::unique_ptr<EVP_MD_CTX, FreeContext>;

tl::unexpected<Error> invalid(std::string why) {
  // What libcrypto queued would otherwise be found by the next call that fails on this thread.
  ERR_clear_error();
  return permanent(Errc::invalid_argument, "DKIM key: " + std::move(why));
}

tl::unexpected<Error> sign_failed() {
  ERR_clear_error();
  return transient(Errc::unavailable, "DKIM: libcrypto cannot sign");
}

/// Without this libcrypto would ask for the passphrase of an encrypted key on the terminal.
int no_passphrase(char*, int, int, void*) { return -1; }

EVP_PKEY* read_pem(std::string_view pem) {
  if (pem.size() > std::numeric_limits<int>::max()) return nullptr;
  const std::unique_ptr<BIO, FreeBio> bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  return bio ? PEM_read_bio_PrivateKey(bio.get(), nullptr, no_passphrase, nullptr) : nullptr;
}

std::string why_unreadable(std::string_view pem) {
  if (pem.find("ENCRYPTED") != std::string_view::npos) return "it is encrypted; give it without a passphrase";
  if (pem.find("PRIVATE KEY-----") == std::string_view::npos) return "no private key in PEM form";
  return "the PEM form is damaged";
}

std::optional<Algorithm> algorithm_of(const EVP_PKEY* key) {
  switch (EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_RSA: return Algorithm::rsa_sha256;
    case EVP_PKEY_ED25519: return Algorithm::ed25519_sha256;
    default: return std::nullopt;
  }
}

/// What `p=` holds, before base64: SubjectPublicKeyInfo for RSA, the bare key for Ed25519.
std::string public_octets(const EVP_PKEY* key, Algorithm algorithm) {
  if (algorithm == Algorithm::ed25519_sha256) {
    std::string octets(32, '\0');
    auto size = octets.size();
    const auto got = EVP_PKEY_get_raw_public_key(key, reinterpret_cast<unsigned char*>(octets.data()), &size);
    return got == 1 && size == octets.size() ? octets : std::string();
  }
  unsigned char* der = nullptr;
  const auto size = i2d_PUBKEY(key, &der);
  std::string octets(reinterpret_cast<const char*>(der), size > 0 ? static_cast<std::size_t>(size) : 0);
  OPENSSL_free(der);
  return octets;
}

/// What libcrypto signs and with which digest: Ed25519 gets the digest as its message (RFC 8463 section 3).
struct ToSign {
  std::string octets;
  const EVP_MD* digest = nullptr;
};

ToSign to_sign(std::string_view text, Algorithm algorithm) {
  if (algorithm == Algorithm::rsa_sha256) return {std::string(text), EVP_sha256()};
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  if (EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_sha256(), nullptr) != 1) return {};
  return {std::string(digest.begin(), digest.begin() + size), nullptr};
}

const unsigned char* octets_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

}  // namespace

std::string_view name(Algorithm algorithm) {
  switch (algorithm) {
    case Algorithm::rsa_sha256: return "rsa-sha256";
    case Algorithm::ed25519_sha256: return "ed25519-sha256";
  }
  return "unknown";
}

void Key::Free::operator()(evp_pkey_st* key) const { EVP_PKEY_free(key); }

Key::Key(Handle key, Algorithm algorithm, int bits, std::string dns_record)
    : key_(std::move(key)), algorithm_(algorithm), bits_(bits), dns_record_(std::move(dns_record)) {}

Result<std::shared_ptr<const Key>> Key::parse(std::string_view pem) {
  Handle handle(read_pem(pem));
  if (!handle) return invalid(why_unreadable(pem));
  const auto algorithm = algorithm_of(handle.get());
  if (!algorithm) return invalid("neither RSA nor Ed25519");
  const bool is_rsa = *algorithm == Algorithm::rsa_sha256;
  const auto bits = EVP_PKEY_get_bits(handle.get());
  if (is_rsa && (bits < kMinRsaBits || bits > kMaxRsaBits)) {
    return invalid("RSA of " + std::to_string(bits) + " bits; 1024 to 4096 are allowed");
  }
  const auto octets = public_octets(handle.get(), *algorithm);
  auto record = std::string(is_rsa ? "v=DKIM1; k=rsa; p=" : "v=DKIM1; k=ed25519; p=") + base64(octets);
  const std::shared_ptr<const Key> key(new Key(std::move(handle), *algorithm, bits, std::move(record)));
  const auto signature = key->sign("probe");
  if (octets.empty() || !signature || !key->verifies("probe", *signature)) {
    return invalid("its parts do not belong together");
  }
  return key;
}

Result<std::string> Key::sign(std::string_view text) const {
  const Context context(EVP_MD_CTX_new());
  const auto input = to_sign(text, algorithm_);
  if (!context || input.octets.empty() ||
      EVP_DigestSignInit(context.get(), nullptr, input.digest, nullptr, key_.get()) != 1) {
    return sign_failed();
  }
  std::string signature(static_cast<std::size_t>(EVP_PKEY_get_size(key_.get())), '\0');
  auto size = signature.size();
  auto* const out = reinterpret_cast<unsigned char*>(signature.data());
  if (EVP_DigestSign(context.get(), out, &size, octets_of(input.octets), input.octets.size()) != 1) {
    return sign_failed();
  }
  // A signature of another size is none (case 92); libcrypto does not give one.
  if (size != signature.size()) return sign_failed();
  return signature;
}

bool Key::verifies(std::string_view text, std::string_view signature) const {
  const Context context(EVP_MD_CTX_new());
  const auto input = to_sign(text, algorithm_);
  return context && EVP_DigestVerifyInit(context.get(), nullptr, input.digest, nullptr, key_.get()) == 1 &&
         EVP_DigestVerify(
           context.get(), octets_of(signature), signature.size(), octets_of(input.octets), input.octets.size()
         ) == 1;
}

}  // namespace relay::dkim
