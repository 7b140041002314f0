#pragma once
/// Why a recipient was refused, as one of few classes that somebody can act on.

#include <cstdint>
#include <optional>
#include <string_view>

#include "relay/base/result.hpp"
#include "relay/smtp/client_session.hpp"

namespace relay::dsn {

enum class BounceClass : std::uint8_t {
  invalid_recipient,  ///< no such mailbox
  invalid_domain,     ///< no such domain, or one that takes no mail
  inactive_mailbox,   ///< it exists, and is disabled or has moved
  mailbox_full,
  message_too_large,
  content_rejected,       ///< spam, a virus, a forbidden attachment
  authentication_failed,  ///< SPF, DKIM or DMARC
  blocklisted,            ///< our address or domain stands on a list
  rate_limited,
  greylisted,
  relaying_denied,  ///< the next hop does not relay for us
  policy,           ///< any other rule of the receiver
  protocol_error,   ///< commands, syntax, or an extension that it lacks
  tls,
  dns,
  network,
  expired,  ///< we gave up
  routing_loop,
  other,
};

/// A stable word for metrics and logs: `invalid_recipient`.
[[nodiscard]] std::string_view to_label(BounceClass bounce_class);
/// What the sender can do, as sentences of plain English.
[[nodiscard]] std::string_view advice(BounceClass bounce_class);

struct Failure {
  mail::Reply reply;  ///< the peer's, or ours
  smtp::Stage stage = smtp::Stage::rcpt;
  std::optional<Errc> error = std::nullopt;  ///< set when there was no answer: what failed instead
};

/// Goes by what failed, then by phrases in the text that many servers share, by the enhanced status (RFC 3463
/// and its registry), and by code and stage. The order is that of how much each tells: many servers say 5.7.1
/// to everything.
/// Complexity: a few dozen searches in a text of at most 2 KiB. Takes any octets. Thread: any.
[[nodiscard]] BounceClass classify(const Failure& failure);

}  // namespace relay::dsn
