#pragma once
/// Small text operations that the standard library lacks. ASCII only: locale never matters in protocols.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace relay {

[[nodiscard]] constexpr char ascii_lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}
[[nodiscard]] constexpr char ascii_upper(char c) {
  return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
}
[[nodiscard]] constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }
[[nodiscard]] constexpr bool is_alpha(char c) { return ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z'; }
[[nodiscard]] constexpr bool is_alnum(char c) { return is_digit(c) || is_alpha(c); }
/// 0x20 to 0x7E.
[[nodiscard]] constexpr bool is_printable(char c) { return c >= ' ' && c <= '~'; }

[[nodiscard]] std::string lower(std::string_view text);
[[nodiscard]] std::string upper(std::string_view text);
[[nodiscard]] bool equals_ignoring_case(std::string_view a, std::string_view b);
[[nodiscard]] bool starts_with_ignoring_case(std::string_view text, std::string_view prefix);

/// Without leading and trailing spaces and tabs. The view lives as long as `text`.
[[nodiscard]] std::string_view trimmed(std::string_view text);

/// Pieces between `separator`, trimmed, empty ones left out. The views live as long as `text`.
[[nodiscard]] std::vector<std::string_view> split(std::string_view text, char separator);

/// A whole number in decimal digits only, or nothing (also on overflow).
[[nodiscard]] std::optional<std::uint64_t> parse_number(std::string_view text);

/// `text` with every octet outside 0x20..0x7E replaced by '?', cut at `limit` octets: safe in a reply line or
/// a log.
[[nodiscard]] std::string printable(std::string_view text, std::size_t limit);

/// RFC 4648 section 4, padded.
[[nodiscard]] std::string base64(std::string_view octets);
/// Nothing when the text is not exactly what base64() writes for some octets.
[[nodiscard]] std::optional<std::string> parse_base64(std::string_view text);

}  // namespace relay
