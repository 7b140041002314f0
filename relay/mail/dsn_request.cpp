#include "relay/mail/dsn_request.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "relay/base/text.hpp"

namespace relay::mail {
namespace {

constexpr std::array<std::pair<std::string_view, bool Notify::*>, 3> kEvents{{
  {"SUCCESS", &Notify::success},
  {"FAILURE", &Notify::failure},
  {"DELAY", &Notify::delay},
}};

constexpr std::array<std::pair<std::string_view, Ret>, 2> kRets{{{"FULL", Ret::full}, {"HDRS", Ret::headers}}
};

/// RFC 6533 section 3 writes a character as `\x{` two to six digits `}`.
constexpr std::string_view kEscape = "\\x{";
constexpr std::size_t kMaxEscapeDigits = 6;

/// Upper case only: RFC 3461 section 4, RFC 6533 section 3.
std::optional<std::uint32_t> parse_hex(std::string_view digits) {
  std::uint32_t value = 0;
  for (const char c : digits) {
    const bool is_letter = c >= 'A' && c <= 'F';
    if (!is_letter && !is_digit(c)) return std::nullopt;
    value = value << 4U | static_cast<std::uint32_t>(is_letter ? c - 'A' + 10 : c - '0');
  }
  return value;
}

bool is_atom_character(char c) { return is_alnum(c) || c == '-' || c == '_' || c == '.'; }

/// Whether a character may stand in an address: no control character, C1 (U+0080 to U+009F) included.
bool is_shown(char32_t c) { return c >= 0x20 && (c < 0x7F || c > 0x9F) && (c < 0xD800 || c > 0xDFFF); }

bool take_escape(std::string_view& text) {
  const auto end = text.find('}');
  if (!text.starts_with(kEscape) || end == std::string_view::npos) return false;
  const auto digits = text.substr(kEscape.size(), end - kEscape.size());
  if (digits.size() < 2 || digits.size() > kMaxEscapeDigits) return false;
  const auto value = parse_hex(digits);
  if (!value || *value > 0x10FFFF || !is_shown(*value)) return false;
  text.remove_prefix(end + 1);
  return true;
}

bool is_utf8_address(std::string_view text, Charset charset) {
  while (!text.empty()) {
    if (text.front() == '\\') {
      if (!take_escape(text)) return false;
      continue;
    }
    const auto c = take_code_point(text);
    if (!c || !is_shown(*c) || *c == ' ' || *c == '+' || *c == '=') return false;
    if (*c > 0x7F && charset == Charset::ascii) return false;
  }
  return true;
}

}  // namespace

const RecipientDsn& DsnRequest::of(std::size_t index) const {
  static const RecipientDsn kUnset;
  return index < recipients.size() ? recipients[index] : kUnset;
}

std::optional<Ret> parse_ret(std::string_view value) {
  for (const auto& [name, ret] : kRets) {
    if (equals_ignoring_case(value, name)) return ret;
  }
  return std::nullopt;
}

std::optional<Notify> parse_notify(std::string_view value) {
  if (equals_ignoring_case(value, "NEVER")) return Notify{.never = true};
  Notify notify;
  while (true) {
    const auto comma = value.find(',');
    const auto word = value.substr(0, comma);
    const auto event = std::find_if(kEvents.begin(), kEvents.end(), [&](const auto& candidate) {
      return equals_ignoring_case(word, candidate.first);
    });
    if (event == kEvents.end() || std::exchange(notify.*(event->second), true)) return std::nullopt;
    if (comma == std::string_view::npos) return notify;
    value.remove_prefix(comma + 1);
  }
}

bool is_envelope_id(std::string_view value) {
  const auto decoded = decode_xtext(value);
  return decoded && !decoded->empty() && decoded->size() <= kMaxEnvelopeId;
}

bool is_original_recipient(std::string_view value, Charset charset) {
  const auto semicolon = value.find(';');
  if (value.size() > kMaxOriginalRecipient || semicolon == std::string_view::npos) return false;
  const auto type = value.substr(0, semicolon);
  const auto address = value.substr(semicolon + 1);
  if (type.empty() || address.empty() || !std::all_of(type.begin(), type.end(), is_atom_character))
    return false;
  if (equals_ignoring_case(type, "utf-8")) return is_utf8_address(address, charset);
  return decode_xtext(address).has_value();
}

std::optional<std::string> decode_xtext(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    char c = text.front();
    if (c == '=' || c == ' ') return std::nullopt;
    const bool is_encoded = c == '+';
    if (is_encoded) {
      const auto value = text.size() >= 3 ? parse_hex(text.substr(1, 2)) : std::nullopt;
      if (!value) return std::nullopt;
      c = static_cast<char>(*value);
    }
    if (!is_printable(c)) return std::nullopt;
    out += c;
    text.remove_prefix(is_encoded ? 3 : 1);
  }
  return out;
}

std::string_view to_text(Ret ret) { return ret == Ret::full ? "FULL" : "HDRS"; }

std::string to_text(const Notify& notify) {
  if (notify.never) return "NEVER";
  std::string text;
  for (const auto& [name, event] : kEvents) {
    if (notify.*event) text += (text.empty() ? "" : ",") + std::string(name);
  }
  return text;
}

}  // namespace relay::mail
