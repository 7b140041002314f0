#pragma once
/// The guard of relays that are not in production: which accepted mail may leave at all.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "relay/mail/envelope.hpp"
#include "relay/mail/reply.hpp"

namespace relay::policy {

enum class Mode : std::uint8_t {
  deliver,    ///< all of it
  capture,    ///< none: it is kept in the spool until a person releases or deletes it
  redirect,   ///< all of it, to one address
  allowlist,  ///< what is for recipients that are named
};

/// What becomes of recipients that the allowlist does not name.
enum class Others : std::uint8_t { capture, reject };

struct Guard {
  Mode mode = Mode::deliver;
  mail::Address redirect_to{};         ///< of redirect, not null
  std::vector<std::string> allowed{};  ///< of allowlist; patterns as matches_address() has them
  Others others = Others::capture;     ///< of allowlist
  friend bool operator==(const Guard&, const Guard&) = default;
};

/// Whether mail for this address may leave without a person's word. It is asked when mail comes in, and again before each
/// delivery: what a laxer mode has accepted stays in.
[[nodiscard]] bool lets_out(const Guard& guard, const mail::Address& recipient);

/// 550 5.7.1 for a recipient of a client that may relay, where such recipients are not to be captured; nothing for others.
[[nodiscard]] std::optional<mail::Reply> refuse_recipient(const Guard& guard, const mail::Address& recipient);

/// Does to the envelope of an accepted message what the mode says, as the last that changes it: with redirect its
/// recipients become one, or two where a rule holds some and some not. Those that lets_out() keeps in are noted in
/// `captured`; who is held by a rule already is not.
/// Of one recipient that is redirected the original one is said in ORCPT (RFC 3461 section 4.2), unless its client did.
/// @return  who was named in place of `redirect_to`; empty: nobody
std::vector<mail::Address> apply(const Guard& guard, mail::Envelope& envelope);

/// `X-Original-To: <address>` for each, at most kMaxOriginalTo of them, each line with its CRLF.
[[nodiscard]] std::string original_to_fields(const std::vector<mail::Address>& recipients);
/// A header of more than this may be cut by a next hop; the log names all.
inline constexpr std::size_t kMaxOriginalTo = 100;

/// Why a recipient is kept in, for people: stands with its place in the queue.
[[nodiscard]] std::string why_captured(const Guard& guard);

/// `deliver`, `capture`, `redirect`, `allowlist`.
[[nodiscard]] std::string_view to_text(Mode mode);

}  // namespace relay::policy
