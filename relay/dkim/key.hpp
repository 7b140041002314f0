#pragma once
/// Private keys to sign with.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "relay/base/result.hpp"

struct evp_pkey_st;

namespace relay::dkim {

/// RFC 8301 and RFC 8463: the two that may be used. rsa-sha1 must not.
enum class Algorithm : std::uint8_t { rsa_sha256, ed25519_sha256 };

/// As the `a=` tag names it.
[[nodiscard]] std::string_view name(Algorithm algorithm);

inline constexpr int kMinRsaBits = 1024;  ///< RFC 8301 section 3.2; below 2048 is worth a warning
inline constexpr int kMaxRsaBits = 4096;  ///< what verifiers must be able to check, same section

/// A private key. Immutable; any number of threads may sign with one at the same time.
class Key {
 public:
  /// Reads PEM: PKCS#8 (RSA or Ed25519) or PKCS#1 (RSA), not encrypted. Text around it is passed over, and a
  /// key whose parts do not belong together is refused.
  /// Errors: Errc::invalid_argument, permanent; the context says what is wrong and quotes nothing.
  [[nodiscard]] static Result<std::shared_ptr<const Key>> parse(std::string_view pem);

  [[nodiscard]] Algorithm algorithm() const { return algorithm_; }
  /// Of the RSA modulus; 256 for Ed25519.
  [[nodiscard]] int bits() const { return bits_; }
  /// What the TXT record `<selector>._domainkey.<domain>` says of it (RFC 6376 section 3.6.1, RFC 8463
  /// section 4): `v=DKIM1; k=rsa; p=...`. Holds the public part only.
  [[nodiscard]] const std::string& dns_record() const { return dns_record_; }

  /// The signature of the SHA-256 of `text`: PKCS#1 v1.5 (RFC 6376 section 3.3.2), or PureEdDSA of the digest
  /// (RFC 8463 section 3). The same text gives the same octets. RSA takes about a millisecond: not for a
  /// shard.
  /// Errors: Errc::unavailable, transient, when libcrypto fails.
  [[nodiscard]] Result<std::string> sign(std::string_view text) const;

 private:
  struct Free {
    void operator()(evp_pkey_st* key) const;
  };
  using Handle = std::unique_ptr<evp_pkey_st, Free>;

  Key(Handle key, Algorithm algorithm, int bits, std::string dns_record);
  [[nodiscard]] bool verifies(std::string_view text, std::string_view signature) const;

  Handle key_;
  Algorithm algorithm_;
  int bits_;
  std::string dns_record_;
};

}  // namespace relay::dkim
