#pragma once
/// What PEM text holds. Pure; nobody is asked for a passphrase: encrypted PEM is no key and no certificate.

#include <string>

namespace op::smtp_relay {

/// True when `pem` holds at least one X.509 certificate, and nothing in it that begins like one is broken.
[[nodiscard]] bool holds_certificates(const std::string& pem);

/// True for a private key that signs mail: RSA of 1024 to 4096 bits, or Ed25519 (RFC 8301, RFC 8463).
[[nodiscard]] bool is_signing_key(const std::string& pem);

/// True when `pem` is the private key of the first certificate in `certificates`.
[[nodiscard]] bool is_key_of(const std::string& certificates, const std::string& pem);

}  // namespace op::smtp_relay
