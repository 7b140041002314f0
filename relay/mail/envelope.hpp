#pragma once
/// What the relay knows of a message besides its content.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "relay/base/clock.hpp"
#include "relay/mail/address.hpp"
#include "relay/mail/dsn_request.hpp"
#include "relay/mail/field_filter.hpp"

namespace relay::mail {

/// RFC 6152: what the client said of the content.
enum class Body : std::uint8_t { undeclared, seven_bit, eight_bit_mime };

/// TLS that a client used, in OpenSSL's words.
struct TlsUse {
  std::string version;  ///< TLSv1.3
  std::string cipher;   ///< TLS_AES_256_GCM_SHA384
  friend bool operator==(const TlsUse&, const TlsUse&) = default;
};

/// The listener that every relay has; others have names of their own.
inline constexpr std::string_view kMainListener = "smtp";
/// What rules say of who goes first.
enum class Priority : std::uint8_t { unset, normal, bulk };

/// Where a message came from, for `Received:` and the log.
struct Origin {
  std::string client;     ///< the client's address as text; with PROXY protocol the one that the header names
  std::string helo;       ///< as given, printable ASCII
  bool extended = false;  ///< EHLO was used: ESMTP in `Received:`
  std::optional<TlsUse> tls{};          ///< nothing: it came in the clear. Not stored: `received` says it
  std::string user{};                   ///< who logged in; empty: nobody. Not stored either
  std::string listener{kMainListener};  ///< where the client came in. Not stored either
  friend bool operator==(const Origin&, const Origin&) = default;
};

/// An accepted message's envelope. Recipients keep their order; an index into them names one for good.
struct Envelope {
  Address reverse_path;
  std::vector<Address> recipients;
  Body body = Body::undeclared;
  Origin origin;
  WallTime arrival{};
  /// Octets of the content as it came and is stored, our header not counted, before dot-stuffing; see also sent_size().
  std::uint64_t size = 0;
  std::string received;  ///< our `Received:` line, folded, with its final CRLF
  /// SMTPUTF8 was declared, and an address, an ORCPT or the header is more than ASCII: a next hop must offer it
  /// (RFC 6531).
  bool smtputf8 = false;
  /// REQUIRETLS (RFC 8689): it goes over verified TLS alone, to hops that promise the same; so do reports of it.
  bool requires_tls = false;
  /// A header field says that others' mail may go first; not stored: the queue's name says it.
  bool is_bulk = false;
  /// Of each recipient the smarthost that a rule names, empty where none does; empty: of none.
  std::vector<std::string> smarthosts{};
  /// Recipients whose mail a rule puts on hold, as ascending indices; not stored: the spool's places say it.
  std::vector<std::uint32_t> held{};
  HeaderEdits edits{};  ///< by rules; the content has not been touched
  /// By rules; wins over `is_bulk`, and is stored no more than that.
  Priority priority = Priority::unset;
  /// Likewise, whose mail the mode of the relay keeps in; none of them is in `held`.
  std::vector<std::uint32_t> captured{};
  DsnRequest dsn{};          ///< what the sender wants to hear of it; nothing when nobody asked
  std::string message_id{};  ///< of the header, for the log; empty: none, or not known. Not stored
  friend bool operator==(const Envelope&, const Envelope&) = default;
};

/// Octets of the content as it is sent on.
[[nodiscard]] inline std::uint64_t sent_size(const Envelope& envelope) {
  return envelope.size - envelope.edits.removed_octets + envelope.edits.added.size();
}

}  // namespace relay::mail
