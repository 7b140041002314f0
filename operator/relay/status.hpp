#pragma once
/// What the SmtpRelay's status should say.

#include "operator/relay/plan.hpp"
#include "relay/base/clock.hpp"

namespace op::smtp_relay {

/// Octets. The definition takes eight times as many; whoever reads these has enough to mend.
inline constexpr std::size_t kLongestMessage = 4000;

/// Before anything is known: every condition, all Unknown.
[[nodiscard]] api::Status first_status(const api::SmtpRelay& relay, relay::WallTime now);

/// @param daemon_set  as it is now; none: there is none
/// @return            the status before, where nothing else is to be said; transition times move with `status` only
[[nodiscard]] api::Status next_status(
  const api::SmtpRelay& relay, const Plan& plan, const std::optional<Json>& daemon_set, relay::WallTime now
);

}  // namespace op::smtp_relay
