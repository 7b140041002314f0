#pragma once
/// What the fields of a MIME entity's header say of its body (RFC 2045), as far as its structure goes.

#include <string>
#include <string_view>

namespace relay::mail {

/// A Content-Type. Names are in lower case.
struct MediaType {
  std::string type = "text";
  std::string subtype = "plain";
  std::string boundary{};              ///< without quotes, and without blanks behind it; empty: none
  bool has_extended_boundary = false;  ///< one as RFC 2231 writes it (`boundary*0=`), which is not read
  friend bool operator==(const MediaType&, const MediaType&) = default;
};

/// Reads what stands behind a Content-Type's colon, folded or not: comments and blanks are skipped, quoted strings unquoted.
/// An unquoted parameter ends at a blank, `;` or `(` only: many boundaries hold what they would have to quote. Of two
/// boundaries the first counts. What names no type and subtype is text/plain (RFC 2045 section 5.2). Complexity O(octets).
[[nodiscard]] MediaType parse_media_type(std::string_view text);

/// The first word behind a Content-Transfer-Encoding's colon, in lower case; empty when there is none. Complexity O(octets).
[[nodiscard]] std::string parse_transfer_encoding(std::string_view text);

}  // namespace relay::mail
