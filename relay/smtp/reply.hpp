#pragma once
/// NAME      smtp -- the protocol itself, both sides, as machines that take an event and return the next step
/// USES      mail, sasl
/// INVARIANT pure: owns no socket, reads no clock, takes no lock; every Read step carries a timeout; no peer
///           octet is echoed unless it is printable ASCII; what a client sends after an end of data is parsed
///           byte-exactly
/// FAILURES  a peer's mistakes become replies (server) or results with a stage (client), never exceptions

#include <cstdint>
#include <string>
#include <string_view>

#include "relay/base/result.hpp"
#include "relay/mail/reply.hpp"

namespace relay::smtp {

using mail::EnhancedStatus;
using mail::Reply;

/// RFC 5321 section 4.5.3.1.5: a reply line has at most 512 octets, code and CRLF included.
inline constexpr std::size_t kMaxReplyLine = 512;

/// A reply with its status: `reply(550, {5, 7, 1}, "...")`.
[[nodiscard]] inline Reply reply(std::uint16_t code, EnhancedStatus status, std::string_view text) {
  return Reply{code, status, std::string(text)};
}

/// The octets on the wire: each line of `text` with code and status, octets that are not printable as '?',
/// lines cut at kMaxReplyLine.
[[nodiscard]] std::string to_wire(const Reply& reply);

/// What a client is told when we cannot store its message: 452 4.3.1 when storage is full, 451 4.3.0
/// otherwise. The public text is generic; `error.context` stays with us.
[[nodiscard]] Reply reply_for(const Error& error);

}  // namespace relay::smtp
