#pragma once
/// What may be in text that RFC 6532 lets be more than ASCII.

#include <cstdint>
#include <optional>
#include <string_view>

namespace relay::mail {

/// What addresses may be made of: UTF-8 only where the client declared SMTPUTF8 (RFC 6531 section 3.4).
enum class Charset : std::uint8_t { ascii, utf8 };

/// Takes the code point that `text` starts with off it. Nothing, and `text` as it was, when it is empty or
/// starts with what RFC 3629 section 4 does not allow: overlong forms, surrogates, more than U+10FFFF.
[[nodiscard]] std::optional<char32_t> take_code_point(std::string_view& text);

/// Well-formed to its end, control characters included. ASCII is.
[[nodiscard]] bool is_utf8(std::string_view text);
/// Well-formed, and no control character in it: neither ASCII's nor U+0080 to U+009F.
[[nodiscard]] bool is_utf8_text(std::string_view text);
/// No octet above 0x7F.
[[nodiscard]] bool is_ascii(std::string_view text);

}  // namespace relay::mail
