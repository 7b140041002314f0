#pragma once
/// The server's side of AUTH: machines that take what a client says and return the next step. Octets here are decoded;
/// base64 is the caller's. They hold passwords as long as they live, and tell nobody.

#include <memory>
#include <string>
#include <string_view>
#include <variant>

#include "relay/sasl/mechanism.hpp"
#include "relay/sasl/users.hpp"

namespace relay::sasl {

// clang-format off: one line each
namespace server_step {
struct Challenge { std::string octets; };                         ///< the client's answer is for respond()
struct CheckPassword { std::string user; std::string password; };  ///< slow: the answer is for password_checked()
struct CheckProof { bool is_right; };  ///< was found; may the client know? The answer is for password_checked()
struct Accepted { std::string user; };
/// As the client says it is called: password or proof is wrong, there is no such user, or it would act as another one, whatever
/// its password is.
struct Refused { std::string user; bool acts_as_another = false; };
struct Malformed {};                   ///< no message of this mechanism: nothing was tried
}  // namespace server_step
// clang-format on
using ServerStep = std::variant<
  server_step::Challenge, server_step::CheckPassword, server_step::CheckProof, server_step::Accepted,
  server_step::Refused, server_step::Malformed>;

/// One exchange. Behind Accepted, Refused and Malformed it is over, and every call returns Malformed.
class ServerMechanism {
 public:
  virtual ~ServerMechanism() = default;
  [[nodiscard]] virtual Name name() const = 0;
  /// The first challenge, where the client brought no response with its command: empty where it has the first word.
  [[nodiscard]] virtual std::string first_challenge() const { return {}; }
  [[nodiscard]] virtual ServerStep respond(std::string_view response) = 0;
  /// @param is_right  the answer to CheckPassword or CheckProof, which was the last step; a proof that is wrong stays so
  [[nodiscard]] virtual ServerStep password_checked(bool is_right) = 0;
};

/// What an EHLO reply offers, best first.
inline constexpr std::string_view kServerMechanisms = "SCRAM-SHA-256 PLAIN LOGIN";

/// Null for a mechanism that only clients have (XOAUTH2).
///
/// @param users  of this exchange, however the file changes meanwhile
/// @param nonce  for SCRAM, as choose() has it: printable ASCII without commas, never used before
[[nodiscard]] std::unique_ptr<ServerMechanism> make_server(
  Name name, std::shared_ptr<const Users> users, std::string_view nonce
);

}  // namespace relay::sasl
