#pragma once
/// How a domain asks for reports (RFC 8460 section 3).

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "relay/mail/address.hpp"

namespace relay::tlsrpt {

/// At most so many destinations of a record are kept.
inline constexpr std::size_t kMaxDestinations = 10;

struct HttpsTarget {
  std::string host;  ///< lower-case; a name, never an address
  std::uint16_t port = 443;
  std::string target;  ///< path and query, printable ASCII without spaces

  friend bool operator==(const HttpsTarget&, const HttpsTarget&) = default;
};
/// `mailto:` or `https:`.
using ReportTarget = std::variant<mail::Address, HttpsTarget>;
[[nodiscard]] std::string to_text(const ReportTarget& target);

/// `_smtp._tls.<domain>`
[[nodiscard]] std::string record_name(std::string_view domain);

/// The `rua` of the one record that begins with `v=TLSRPTv1;`, in its order; others do not count. What is
/// neither mail to a domain nor HTTPS to a named host is left out. Empty when the domain wants no reports:
/// there is no such record, there are several, or the one breaks the grammar.
/// @param records  each with its strings put together without a space
[[nodiscard]] std::vector<ReportTarget> parse_tlsrpt_record(const std::vector<std::string>& records);

}  // namespace relay::tlsrpt
