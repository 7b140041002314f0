#pragma once
/// The user of RFC 7677 section 3, `user` with the password `pencil`, as a users file has it.

#include <memory>
#include <string>

#include "relay/sasl/users.hpp"

namespace relay::test {

inline const std::string kUserLine =
  "user:SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY="
  ":wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=";

/// @param key_for_strangers  as Users::parse() has it
inline std::shared_ptr<const sasl::Users> users(
  const std::string& file = kUserLine, const sasl::Digest& key_for_strangers = {}
) {
  return *sasl::Users::parse(file, key_for_strangers);
}

/// A line for another user, made as `relayctl user` does.
inline std::string user_line(const std::string& name, const std::string& password) {
  return name + ":" + sasl::to_text(sasl::derive_keys(password, "salt of " + name, sasl::kMinIterations)) +
         "\n";
}

}  // namespace relay::test
