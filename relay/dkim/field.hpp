#pragma once
/// Reads the header part of a message, whatever octets it is made of. Linear in its size.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace relay::dkim {

/// One header field. Must not outlive the text that it was read from.
struct FieldView {
  std::string_view name;   ///< without the blanks before the colon; may be empty or hold odd octets
  std::string_view value;  ///< what stands behind the colon, folded as it is
  std::string_view whole;  ///< name, colon and value, without the final CRLF
};

/// Whether this line goes on with the header part: it begins with a name and a colon (as mail::HeaderScan
/// reads them), or folds what stands before it.
[[nodiscard]] bool is_header_line(std::string_view line, bool is_first);

/// The fields in their order, up to the first line that is none: an empty one, say. The last may lack its
/// CRLF.
[[nodiscard]] std::vector<FieldView> split_fields(std::string_view header);

/// The domain, in lower case, of the first mailbox that the value of a From field names (RFC 5322 section
/// 3.4): display names, quoted strings, comments, groups, routes and folding are seen through. Nothing when
/// there is none, when it is no host name (an address literal, 8-bit text), or when quotes, comments or
/// angle brackets are not closed.
[[nodiscard]] std::optional<std::string> mailbox_domain(std::string_view value);

}  // namespace relay::dkim
