#pragma once

#include <set>
#include <string>
#include <vector>

#include "operator/resources/names.hpp"

namespace op::resources {

/// What a value is read as, and must be.
enum class Content : std::uint8_t {
  anything,
  certificates,        ///< one X.509 certificate in PEM or more
  key_of_certificate,  ///< a private key in PEM that belongs to the certificate under `tls.crt` beside it
  signing_key,         ///< a private key in PEM, RSA or Ed25519, for DKIM
  redaction_key,       ///< 16 octets or more
  users,               ///< a users file that the relay takes, with one user or more
};

/// The keys of a Secret of the type kubernetes.io/tls.
inline constexpr const char* kCertificateKey = "tls.crt";
inline constexpr const char* kPrivateKeyKey = "tls.key";

/// A key that the relay reads as a file.
struct Mounted {
  api::KeyReference key;
  Content content{};
  std::string field;  ///< of the resource, that names it: `spec.smarthosts[primary].tls.caRef`
};

/// All keys that the resource names itself, in the order in which it does; save passwd.client, which has a place of its
/// own, and trust anchors, whose keys the resource does not know.
[[nodiscard]] std::vector<Mounted> mounted_keys(const api::Spec& spec);

/// Where the relay finds a key: `/etc/smtp-relay/refs/secret-<name>/<key>`. One folder for each Secret or ConfigMap.
[[nodiscard]] std::string path_of(const api::KeyReference& key);

/// The keys of trust anchors, as references.
[[nodiscard]] std::vector<api::KeyReference> anchor_keys(const api::Spec& spec, const TrustAnchors& anchors);

}  // namespace op::resources
