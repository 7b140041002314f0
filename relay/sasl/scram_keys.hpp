#pragma once
/// The arithmetic of SCRAM-SHA-256 (RFC 5802 section 3), and what a server keeps of a password.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace relay::sasl {

/// RFC 7677 section 4 asks for 4096 at least; the other end is what a hostile peer or a careless file may cost us:
/// 600,000 take some tenths of a second of a thread.
inline constexpr std::uint64_t kMinIterations = 4096;
inline constexpr std::uint64_t kMaxIterations = 600'000;

/// Octets of SHA-256. All functions of these throw std::runtime_error where libcrypto has none.
using Digest = std::array<unsigned char, 32>;

/// Valid as long as the digest.
[[nodiscard]] std::string_view text_of(const Digest& digest);
[[nodiscard]] Digest hmac(const Digest& key, std::string_view text);
[[nodiscard]] Digest sha256(std::string_view text);
/// Hi() of RFC 5802 section 2.2: slow, as it is meant to be.
[[nodiscard]] Digest salted(std::string_view password, std::string_view salt, std::uint64_t iterations);
[[nodiscard]] Digest exclusive_or(Digest a, const Digest& b);
/// In a time that does not depend on where they differ.
[[nodiscard]] bool are_equal(const Digest& a, const Digest& b);
/// A digest's octets; nothing when they are not as many.
[[nodiscard]] std::optional<Digest> to_digest(std::string_view octets);

/// Printable ASCII without commas and blanks, at least one octet.
[[nodiscard]] bool is_nonce(std::string_view text);
/// `x=value` at the front of a message, taken from `rest` with the comma behind it. Valid as long as the message.
[[nodiscard]] std::optional<std::string_view> take_attribute(std::string_view& rest, char name);

/// What is kept of a password: enough to check it, not enough to log in with (RFC 5802 section 2.2).
struct ScramKeys {
  std::uint64_t iterations = 0;  ///< kMinIterations to kMaxIterations
  std::string salt;              ///< octets
  Digest stored_key{};
  Digest server_key{};
  friend bool operator==(const ScramKeys&, const ScramKeys&) = default;
};

/// Slow, see salted().
[[nodiscard]] ScramKeys derive_keys(
  std::string_view password, std::string_view salt, std::uint64_t iterations
);
/// The same, and whether they are these. Slow, see salted().
[[nodiscard]] bool is_password_of(const ScramKeys& keys, std::string_view password);

/// As PostgreSQL writes it: `SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>`, the last three in base64.
[[nodiscard]] std::string to_text(const ScramKeys& keys);

}  // namespace relay::sasl
