#pragma once
/// `relayctl user`: a line of a users file, made from a password, or its key for strangers.

#include <cstdint>
#include <functional>
#include <iosfwd>
#include <string>

#include "relay/base/result.hpp"

namespace relay::ctl {

struct UserRequest {
  std::string name;
  std::uint64_t iterations =
    4096;  ///< what a guess at a stolen line costs, and what each client pays for SCRAM
};

using AskPassword = std::function<Result<std::string>()>;

/// Without its line end; empty where the input ends.
[[nodiscard]] Result<std::string> first_line(std::istream& in);

/// Asks for a password, once all else is good, and writes the user's line with a new salt. The password stands nowhere in it.
/// Errors: invalid_argument (permanent) for a name, a password or a number of iterations that the relay would not take; those of
/// `ask`.
[[nodiscard]] Result<void> write_user_line(
  const UserRequest& request, const AskPassword& ask, std::ostream& out
);

/// Writes the line of a users file that holds a new key for strangers (sasl::Users).
/// Errors: unavailable (permanent): there is no randomness.
[[nodiscard]] Result<void> write_stand_in_line(std::ostream& out);

}  // namespace relay::ctl
