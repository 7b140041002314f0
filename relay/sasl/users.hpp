#pragma once
/// Who may log in: the users of a file.

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "relay/base/result.hpp"
#include "relay/sasl/scram_keys.hpp"

namespace relay::sasl {

inline constexpr std::size_t kMaxUserName = 255;   ///< octets
inline constexpr std::size_t kMaxPassword = 1024;  ///< octets
inline constexpr std::size_t kMinSalt = 8;         ///< octets
inline constexpr std::size_t kMaxSalt = 64;        ///< octets
/// Begins the line of a users file that holds the key for strangers, in base64.
inline constexpr std::string_view kStandIn = "# stand-in:";

/// Whether a user may be called so: 1 to kMaxUserName octets, no colon, no control character, no blank at the ends.
[[nodiscard]] bool is_user_name(std::string_view name);

/// Immutable. Thread: any.
class Users {
 public:
  /// Reads a users file. One user a line, `name:SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>`; empty
  /// lines and those that begin with `#` are none, but for one `# stand-in: <key for strangers>`. Names are compared octet
  /// by octet.
  ///
  /// @param key_for_strangers  what keys_or_stand_in() makes keys from where the file holds none: random, and no secret of
  ///                           a user, since who asks for names and knows it can tell users from strangers
  ///
  /// Errors: invalid_argument (permanent) with the number of the first line that is wrong and why, never with what it
  /// holds. A file is taken as a whole or not at all.
  [[nodiscard]] static Result<std::shared_ptr<const Users>> parse(
    std::string_view text, const Digest& key_for_strangers
  );

  [[nodiscard]] std::size_t count() const { return users_.size(); }
  /// Of the text that was read: another one for other users.
  [[nodiscard]] const Digest& fingerprint() const { return fingerprint_; }
  /// Null: there is no such user. Valid as long as this.
  [[nodiscard]] const ScramKeys* find(std::string_view name) const;
  /// The user's keys, or for a stranger some that look like the first user's and cost the same: always the same ones for a
  /// name as long as the key for strangers is, so in all relays whose file holds it. No password fits them, and none can be
  /// tested by them.
  [[nodiscard]] ScramKeys keys_or_stand_in(std::string_view name) const;
  /// As slow for a stranger as for a user with as many iterations as the first one.
  [[nodiscard]] bool check(std::string_view name, std::string_view password) const;

 private:
  [[nodiscard]] tl::expected<void, std::string> add(std::string_view line);
  [[nodiscard]] tl::expected<void, std::string> add_user(std::string_view line);

  std::map<std::string, ScramKeys, std::less<>> users_;
  ScramKeys pattern_{kMinIterations, std::string(16, '\0'), {}, {}};  // stand-ins look like the first user's
  Digest key_for_strangers_{};
  Digest fingerprint_{};
  bool has_key_ = false;  // the file has one
};

}  // namespace relay::sasl
