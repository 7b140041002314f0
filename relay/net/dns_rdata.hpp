#pragma once
/// Record data as name servers send it, read into values. Pure: every function takes any octets and says
/// nothing when they are not what they should be (too short, too long, a name that runs over the end).

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "relay/base/network.hpp"

namespace relay::net {

/// Types of records (IANA "DNS parameters").
inline constexpr int kTypeA = 1;
inline constexpr int kTypeCname = 5;
inline constexpr int kTypeMx = 15;
inline constexpr int kTypeTxt = 16;
inline constexpr int kTypeAaaa = 28;
inline constexpr int kTypeTlsa = 52;

/// RFC 1035 section 3.3.9. The root as host is the null MX of RFC 7505.
struct MxRecord {
  std::uint16_t preference = 0;
  std::string host;  ///< as parse_name() gives it: not yet known to be a host name
  friend auto operator<=>(const MxRecord&, const MxRecord&) = default;
};

/// RFC 6698 section 2.1. Values are the peer's: whether they are usable is DANE's to judge.
struct TlsaRecord {
  std::uint8_t usage = 0;     ///< 2 DANE-TA, 3 DANE-EE; no other counts in SMTP (RFC 7672 section 3.1.3)
  std::uint8_t selector = 0;  ///< 0 certificate, 1 its public key
  std::uint8_t matching = 0;  ///< 0 whole, 1 SHA-256, 2 SHA-512
  std::string data;           ///< octets, at least one
  friend auto operator<=>(const TlsaRecord&, const TlsaRecord&) = default;
};

/// A name in wire format without compression (libunbound takes that out), which must fill `octets`.
///
/// @return  lower case, labels joined by dots, no final dot; `.` for the root. An octet that a text could
///          take for something else (dot, backslash, not printable, space) becomes `\DDD` (RFC 1035 section
///          5.1), so that such a name never looks like a host name.
/// Nothing: compressed, a label over the end, more than 255 octets.
[[nodiscard]] std::optional<std::string> parse_name(std::string_view octets);

[[nodiscard]] std::optional<MxRecord> parse_mx(std::string_view rdata);
[[nodiscard]] std::optional<TlsaRecord> parse_tlsa(std::string_view rdata);
/// The strings of a record joined, as SPF, DKIM and MTA-STS read them (RFC 7208 section 3.3).
[[nodiscard]] std::optional<std::string> parse_txt(std::string_view rdata);
[[nodiscard]] std::optional<IpAddress> parse_a(std::string_view rdata);
[[nodiscard]] std::optional<IpAddress> parse_aaaa(std::string_view rdata);

}  // namespace relay::net
