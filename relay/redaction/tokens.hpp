#pragma once
/// NAME      redaction -- addresses in logs without their local parts, and back for whoever holds the key
/// USES      base
///
/// INVARIANT pure; the same text and key give the same token, so that one can search for it; without the key a token
///           says no more than about how long the text is, and whether two are the same
/// FAILURES  invalid_argument (permanent): a key that is too short

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "relay/base/result.hpp"

namespace relay::redaction {

/// Octets of a key file that count as a key at all, its line end left out.
inline constexpr std::size_t kMinKey = 16;
/// What a token begins with. It stands alone where there is no key.
inline constexpr char kMark = '~';

/// `~` and base64url without padding (RFC 4648 section 5) of what AES-SIV (RFC 5297) makes of a text, with a key of
/// 512 bits by HKDF-SHA256 (RFC 5869) from a key file's text. Deterministic on purpose, and authenticated: a token
/// that opens was made with this key.
///
/// Thread: any.
class Tokens {
 public:
  /// @param key  the whole text of a key file. Errors: invalid_argument, without a word of the key.
  [[nodiscard]] static Result<std::shared_ptr<const Tokens>> make(std::string_view key);
  ~Tokens();
  Tokens(const Tokens&) = delete;
  Tokens& operator=(const Tokens&) = delete;

  /// `~` alone for an empty text.
  [[nodiscard]] std::string seal(std::string_view text) const;
  /// Nothing when it is no token, or one of another key.
  [[nodiscard]] std::optional<std::string> open(std::string_view token) const;

 private:
  struct Cipher;
  explicit Tokens(std::unique_ptr<Cipher> cipher);
  std::unique_ptr<Cipher> cipher_;
};

/// Letters, digits, `-` and `_`: what a token consists of behind its mark.
[[nodiscard]] bool is_token_octet(char c);

/// Puts in place what the tokens of a log's line stand for; those of another key stay. In a line that is a JSON object
/// the text is escaped as JSON asks for.
[[nodiscard]] std::string reveal(std::string_view line, const Tokens& tokens);

}  // namespace relay::redaction
