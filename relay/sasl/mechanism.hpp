#pragma once
/// NAME      sasl -- both sides of SMTP AUTH (RFC 4954) as challenge machines: the client's here, the server's in
///           server.hpp
/// USES      base
///
/// INVARIANT pure: chance comes in as a nonce; secrets are in responses only, never in errors or logs
/// FAILURES  all transient. Errc::protocol_error: the server asked for something the mechanism has no answer to, or
///           did not prove that it knows the password. Errc::not_permitted: no mechanism that both sides have.
///           Errc::invalid_argument: credentials that no mechanism can carry

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "relay/base/result.hpp"

namespace relay::sasl {

enum class Name : std::uint8_t {
  plain,          ///< RFC 4616
  login,          ///< draft-murchison-sasl-login
  scram_sha_256,  ///< RFC 5802, RFC 7677
  xoauth2,        ///< Google's and Microsoft's, no RFC; only when it is asked for
};
/// As in an EHLO reply: `SCRAM-SHA-256`.
[[nodiscard]] std::string_view to_text(Name name);
/// Any case; nothing for a mechanism that is not ours.
[[nodiscard]] std::optional<Name> parse_name(std::string_view text);

struct Credentials {
  std::string user;
  std::string password;                          ///< for XOAUTH2 the access token
  std::optional<Name> mechanism = std::nullopt;  ///< this one or none; unset: the best of both sides
  friend bool operator==(const Credentials&, const Credentials&) = default;
};

/// One exchange. Responses and challenges are the decoded octets; base64 is the caller's.
class Mechanism {
 public:
  virtual ~Mechanism() = default;
  [[nodiscard]] virtual Name name() const = 0;
  /// What goes with the AUTH command (RFC 4954 section 4), or nothing to wait for the first challenge. A caller that
  /// could not send it with the command is asked for it by an empty challenge.
  [[nodiscard]] virtual std::string initial_response() = 0;
  [[nodiscard]] virtual Result<std::string> respond(std::string_view challenge) = 0;
  /// The server said yes. @param data  what it said with that, decoded; empty when nothing
  /// Errors: protocol_error when it should have proved something, and did not.
  [[nodiscard]] virtual Result<void> conclude(std::string_view data) const;
};

/// The mechanism that the credentials ask for, or else the best that both sides have, best first: SCRAM-SHA-256, PLAIN,
/// LOGIN. Never null.
///
/// @param offered  names as in the EHLO reply, any case
/// @param nonce    for SCRAM: printable ASCII without commas, never used before, at least 128 bits of chance; without
///                 one there is no SCRAM
[[nodiscard]] Result<std::unique_ptr<Mechanism>> choose(
  const std::vector<std::string>& offered, const Credentials& credentials, std::string_view nonce
);

}  // namespace relay::sasl
