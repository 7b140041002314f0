#pragma once
/// What is said between AUTH and the reply that ends it (RFC 4954 section 4).

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "relay/sasl/server.hpp"
#include "relay/smtp/reply.hpp"

namespace relay::smtp {

inline constexpr std::size_t kMaxAuthLine = 12288;  ///< octets with CRLF; RFC 4954 section 4

// clang-format off: one line each
namespace auth_turn {
struct Say { Reply challenge; };                                   ///< 334; the client's next line is for receive()
struct CheckPassword { std::string user; std::string password; };  ///< the answer is for password_checked()
struct CheckProof { bool is_right; };                               ///< the same; found, but may the client know?
struct Cancel { Reply reply; };                                    ///< it is over and nothing was tried
struct End { std::string user; bool is_right; bool acts_as_another = false; };  ///< it is over; the user is what the client said
}  // namespace auth_turn
// clang-format on
using AuthTurn = std::variant<
  auth_turn::Say, auth_turn::CheckPassword, auth_turn::CheckProof, auth_turn::Cancel, auth_turn::End>;

/// What AUTH names.
struct AuthArguments {
  sasl::Name mechanism{};
  /// The initial response, still in base64; `=` for one that is empty. Nothing: there is none.
  std::optional<std::string> initial_response{};
};

/// Reads what follows `AUTH `. The failure is the reply to give: 501 5.5.4 for syntax, 504 5.5.4 for a mechanism that is
/// not offered.
[[nodiscard]] tl::expected<AuthArguments, Reply> parse_auth(std::string_view argument);

/// The reply to an exchange that failed. The same whatever was wrong: 535 5.7.8.
[[nodiscard]] Reply credentials_refused();
/// The reply to an authorization identity that is another user's: it fails the exchange too (RFC 4422 section 3.6), whatever
/// else was right.
[[nodiscard]] Reply acting_refused();

/// One exchange: base64, `*` and the mechanism. Pure; over behind Cancel and End.
class AuthDialogue {
 public:
  /// @param mechanism  one that parse_auth() gave
  /// @param users, nonce  as sasl::make_server() has them
  AuthDialogue(sasl::Name mechanism, std::shared_ptr<const sasl::Users> users, std::string_view nonce);

  /// The first turn. @param initial_response  as AuthArguments has it
  [[nodiscard]] AuthTurn begin(const std::optional<std::string>& initial_response);
  /// @param line  of the client, without its line end
  [[nodiscard]] AuthTurn receive(std::string_view line);
  [[nodiscard]] AuthTurn password_checked(bool is_right);
  [[nodiscard]] sasl::Name mechanism() const { return mechanism_->name(); }

 private:
  [[nodiscard]] AuthTurn respond(std::string_view octets);
  [[nodiscard]] static AuthTurn turn(sasl::ServerStep step);

  [[nodiscard]] AuthTurn give_up(std::string_view why);

  std::unique_ptr<sasl::ServerMechanism> mechanism_;
  bool is_over_ = false;  // for a reason that the mechanism does not know
};

}  // namespace relay::smtp
