#include "relay/dsn/text.hpp"

#include <algorithm>
#include <array>
#include <cstdio>

#include "relay/base/text.hpp"
#include "relay/mail/dsn_request.hpp"

namespace relay::dsn {
namespace {

constexpr std::size_t kMaxWord = 900;

std::string escape(char32_t c) {
  std::array<char, 16> text{};
  std::snprintf(text.data(), text.size(), "\\x{%02lX}", static_cast<unsigned long>(c));
  return text.data();
}

/// RFC 6533 section 3: what QCHAR leaves out is escaped, and with Charset::ascii what is beyond ASCII.
std::string utf8_address(std::string_view text, mail::Charset charset) {
  std::string out;
  while (!text.empty()) {
    const auto before = text;
    const auto c = mail::take_code_point(text);
    if (!c) return printable(before, kMaxWord);  // cannot be: an address is well-formed
    const bool is_special = *c == '+' || *c == '=' || *c == '\\' || *c == ' ';
    if (is_special || (*c > 0x7F && charset == mail::Charset::ascii)) out += escape(*c);
    else out += before.substr(0, before.size() - text.size());
  }
  return out;
}

/// Escapes of an address that has them already stay as they are.
std::string only_beyond_ascii_escaped(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const auto before = text;
    const auto c = mail::take_code_point(text);
    if (!c) return out + printable(before, kMaxWord);
    if (*c > 0x7F) out += escape(*c);
    else out += is_printable(static_cast<char>(*c)) ? static_cast<char>(*c) : '?';
  }
  return out;
}

}  // namespace

std::string typed_address(const mail::Address& address, mail::Charset charset) {
  const auto text = address.to_text();
  if (address.is_ascii()) return "rfc822; " + text;
  return "utf-8; " + utf8_address(text, charset);
}

std::string original_recipient(std::string_view value, mail::Charset charset) {
  if (value.empty()) return {};
  const auto semicolon = std::min(value.find(';'), value.size());
  const auto type = printable(value.substr(0, semicolon), mail::kMaxOriginalRecipient);
  const auto address = value.substr(std::min(semicolon + 1, value.size()));
  if (equals_ignoring_case(type, "utf-8")) {
    const bool may_stay = charset == mail::Charset::utf8 && mail::is_utf8_text(address);
    return type + "; " + (may_stay ? std::string(address) : only_beyond_ascii_escaped(address));
  }
  const auto decoded = mail::decode_xtext(address);
  return type + "; " + (decoded ? *decoded : printable(address, mail::kMaxOriginalRecipient));
}

std::string wrapped(std::string_view text, std::string_view first_indent, std::string_view indent) {
  std::string out;
  std::string line(first_indent);
  bool is_begun = false;
  for (auto word : split(text, ' ')) {
    while (!word.empty()) {
      const auto piece = word.substr(0, kMaxWord);
      word.remove_prefix(piece.size());
      if (is_begun && line.size() + 1 + piece.size() > kLineWidth) {
        out += line + "\r\n";
        line = indent;
        is_begun = false;
      }
      if (is_begun) line += ' ';
      line += piece;
      is_begun = true;
    }
  }
  return out + line + "\r\n";
}

std::string field(std::string_view name, std::string_view value) {
  if (trimmed(value).empty()) return {};
  return wrapped(value, std::string(name) + ": ", " ");
}

std::string unfolded_field(std::string_view name, std::string_view value) {
  if (name.size() + 2 + value.size() > kMaxLine || value.empty()) return field(name, value);
  return std::string(name) + ": " + std::string(value) + "\r\n";
}

}  // namespace relay::dsn
