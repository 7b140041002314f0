#pragma once
/// What the sender of a message wants to hear of it (RFC 3461), as MAIL and RCPT say it.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "relay/mail/utf8.hpp"

namespace relay::mail {

inline constexpr std::size_t kMaxEnvelopeId = 100;         ///< decoded; RFC 3461 section 4.4
inline constexpr std::size_t kMaxOriginalRecipient = 500;  ///< with its type, as received; section 4.2

/// RET: how much of the message a report of failure brings back.
enum class Ret : std::uint8_t { unset, full, headers };

/// NOTIFY of one recipient. Nothing set: the parameter was not given, and section 4.1 has failures reported
/// and, where the relay likes, delays. `never` stands alone.
struct Notify {
  bool never = false;
  bool success = false;
  bool failure = false;
  bool delay = false;

  [[nodiscard]] bool is_unset() const { return !never && !success && !failure && !delay; }
  friend bool operator==(const Notify&, const Notify&) = default;
};

struct RecipientDsn {
  Notify notify;
  /// ORCPT as received, still encoded: `rfc822;user+2Bx@example.org`. Empty when not given.
  std::string original_recipient;

  [[nodiscard]] bool is_unset() const { return notify.is_unset() && original_recipient.empty(); }
  friend bool operator==(const RecipientDsn&, const RecipientDsn&) = default;
};

struct DsnRequest {
  Ret ret = Ret::unset;
  std::string envelope_id;  ///< ENVID as received, still xtext. Empty when not given
  /// Empty when no recipient came with a parameter; else one for each recipient, in their order.
  std::vector<RecipientDsn> recipients;

  /// What recipient `index` came with.
  [[nodiscard]] const RecipientDsn& of(std::size_t index) const;
  friend bool operator==(const DsnRequest&, const DsnRequest&) = default;
};

// Readers of parameter values. They take any octets; nothing, or false, when the value is not valid.

[[nodiscard]] std::optional<Ret> parse_ret(std::string_view value);
/// `NEVER`, or a list of SUCCESS, FAILURE and DELAY with commas, each at most once.
[[nodiscard]] std::optional<Notify> parse_notify(std::string_view value);
/// Xtext of 1 to 100 printable characters.
[[nodiscard]] bool is_envelope_id(std::string_view value);
/// `type;address` of at most 500 octets: an atom, then xtext of printable characters. With type `utf-8` the
/// address is written as RFC 6533 section 3 says (`\x{FC}`, or with Charset::utf8 the characters themselves).
[[nodiscard]] bool is_original_recipient(std::string_view value, Charset charset);

/// RFC 3461 section 4: `+` and two upper case digits stand for an octet. Nothing when that does not hold, or
/// an octet stands there or comes out that is no printable ASCII: no CR, LF or NUL ever does.
[[nodiscard]] std::optional<std::string> decode_xtext(std::string_view text);

/// `FULL` or `HDRS`; not for Ret::unset.
[[nodiscard]] std::string_view to_text(Ret ret);
/// As parse_notify reads it; empty when nothing is set.
[[nodiscard]] std::string to_text(const Notify& notify);

}  // namespace relay::mail
