#pragma once
/// How the message of a transaction is mended.

#include "relay/base/clock.hpp"
#include "relay/mail/mending.hpp"
#include "relay/session/serve.hpp"

namespace relay::session {

/// As the rules of the moment say. A From that is missing is the sender; of a null sender MAILER-DAEMON at our name, as
/// reports have it. Message-IDs are drawn at random; where there is no randomness none is added.
[[nodiscard]] mail::Mending mending_of(const Rules& rules, const mail::Address& sender, WallTime now);

}  // namespace relay::session
