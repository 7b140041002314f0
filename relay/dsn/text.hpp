#pragma once
/// How values that others wrote stand in a report: addresses, fields, paragraphs.

#include <string>
#include <string_view>

#include "relay/mail/address.hpp"

namespace relay::dsn {

/// RFC 5322 section 2.1.1, without the CRLF.
inline constexpr std::size_t kMaxLine = 998;
/// Where lines are folded when there is a space.
inline constexpr std::size_t kLineWidth = 76;

/// `rfc822; user@example.org`, or `utf-8; ...` for addresses beyond ASCII, which Charset::ascii writes with
/// escapes (RFC 6533 section 3).
[[nodiscard]] std::string typed_address(const mail::Address& address, mail::Charset charset);

/// The same for an ORCPT value as received: its xtext decoded. Takes any octets.
[[nodiscard]] std::string original_recipient(std::string_view value, mail::Charset charset);

/// The words of `text`, each line behind `indent`, ended by CRLF. A line has at most kLineWidth octets, or one
/// word of at most 900. `text` is printable ASCII or UTF-8.
[[nodiscard]] std::string wrapped(
  std::string_view text, std::string_view first_indent, std::string_view indent
);

/// `Name: value`, folded. An empty value makes no field.
[[nodiscard]] std::string field(std::string_view name, std::string_view value);
/// The same in one line where it fits: folding would touch the spaces of a quoted local part.
[[nodiscard]] std::string unfolded_field(std::string_view name, std::string_view value);

}  // namespace relay::dsn
