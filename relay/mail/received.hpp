#pragma once
/// The trace line that a relay adds on top (RFC 5321 section 4.4).

#include <string>
#include <string_view>

#include "relay/base/queue_id.hpp"
#include "relay/mail/envelope.hpp"

namespace relay::mail {

/// `Received: from HELO ([client]) by HOST with ESMTP id ID for <recipient>; date`, folded, ending in CRLF.
///
/// The protocol is SMTP, ESMTP, or UTF8SMTP for a message that needs SMTPUTF8 (RFC 6531 section 4.3); with TLS ESMTPS
/// or UTF8SMTPS (RFC 3848), and `(using TLSv1.3 with cipher NAME)` before `by`. From a client that has logged in there is
/// an A behind it (ESMTPA, ESMTPSA); who it is stays with us.
///
/// The `for` clause stands only with a single recipient, so that nobody learns of others. A HELO name that is
/// no domain goes into a comment, cut at 100 octets and stripped of what could end the comment or the line.
///
/// With ClientShown::no there is no `from` clause, which RFC 5322 section 3.6.7 lets be; a HELO name mostly tells the
/// address too.
///
/// @param hostname  our own name, valid as a domain
enum class ClientShown : std::uint8_t { yes, no };
[[nodiscard]] std::string received_line(
  const Envelope& envelope, const QueueId& id, std::string_view hostname, ClientShown shown = ClientShown::yes
);

}  // namespace relay::mail
