#pragma once
/// AUTH of one session: who may try, what came of it, and what it is worth.

#include <optional>
#include <string>
#include <string_view>

#include "relay/session/serve.hpp"

namespace relay::session {

/// Belongs to a session's driver. `source` and all of `services` outlive it.
class Login {
 public:
  Login(const RulesSource& source, Services services, const IpAddress& client)
      : source_(source), services_(services), client_(client) {}

  /// The users of the moment, or 454 4.7.0: there are none any more, or the client has failed too often.
  [[nodiscard]] smtp::server_event::AuthBegun begin();
  /// Slow. Behind begin(). 454 4.7.0 where the password could not be checked, or the client has no guess left, others of its
  /// connections included.
  [[nodiscard]] net::Awaitable<smtp::server_event::PasswordChecked> check(
    std::string user, std::string password
  );
  /// Of a mechanism that found out itself. Behind begin(). 454 4.7.0 as above, so that nobody knows what was found.
  [[nodiscard]] smtp::server_event::PasswordChecked check_proof(bool is_right);
  /// Takes note of it: counted, recorded, and remembered for refuse_client().
  void end(const smtp::server_step::EndAuth& login);
  /// All that was said in the clear, behind a handshake.
  void forget() { user_.clear(); }

  /// Who logged in and is a user still, with the same password; empty: nobody. Valid as long as this, until the next call of
  /// end() or forget().
  [[nodiscard]] std::string_view user(const Rules& rules) const;

  /// Nothing for a client that may relay: it has logged in, see user(), or it comes from an allowed address where that is
  /// enough. Else
  /// policy::refuse_client(); where logging in would help instead that is said, for now alone where it needs another
  /// connection (421 4.7.0) or users that we do not have yet (451 4.7.0), else for good (530 5.7.0).
  [[nodiscard]] std::optional<mail::Reply> refuse_client(const Rules& rules) const;

 private:
  using Guess = std::optional<FailedLogins::Guess>;
  [[nodiscard]] bool is_one_client(const Rules& rules) const;
  [[nodiscard]] Guess begin_guess(const Rules& rules, FailedLogins::Mark mark);
  [[nodiscard]] mail::Reply refuse_guesses();
  void note_failure(const smtp::server_step::EndAuth& login);

  const RulesSource& source_;
  Services services_;
  IpAddress client_;
  std::shared_ptr<const sasl::Users> users_;  // of the exchange
  FailedLogins::Failure failure_;             // of the exchange, behind a wrong password
  std::string user_;                          // who logged in; empty: nobody
  sasl::ScramKeys keys_;                      // of that user, then
};

}  // namespace relay::session
