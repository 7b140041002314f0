#include "relay/mail/utf8.hpp"

#include <algorithm>
#include <array>

namespace relay::mail {
namespace {

/// RFC 3629 section 3: what a first octet says of the whole, and the least value that needs so many octets.
struct Form {
  unsigned char mask;
  unsigned char first;
  std::size_t length;
  char32_t least;
};
constexpr std::array kForms{
  Form{0x80, 0x00, 1, 0x0},
  Form{0xE0, 0xC0, 2, 0x80},
  Form{0xF0, 0xE0, 3, 0x800},
  Form{0xF8, 0xF0, 4, 0x10000},
};

unsigned char octet(char c) { return static_cast<unsigned char>(c); }

}  // namespace

std::optional<char32_t> take_code_point(std::string_view& text) {
  if (text.empty()) return std::nullopt;
  const auto first = octet(text.front());
  const auto form = std::find_if(kForms.begin(), kForms.end(), [&](const Form& candidate) {
    return (first & candidate.mask) == candidate.first;
  });
  if (form == kForms.end() || text.size() < form->length) return std::nullopt;
  char32_t value = first & static_cast<unsigned char>(~form->mask);
  for (const char c : text.substr(1, form->length - 1)) {
    if ((octet(c) & 0xC0U) != 0x80U) return std::nullopt;
    value = value << 6U | (octet(c) & 0x3FU);
  }
  const bool is_surrogate = value >= 0xD800 && value <= 0xDFFF;
  if (value < form->least || is_surrogate || value > 0x10FFFF) return std::nullopt;
  text.remove_prefix(form->length);
  return value;
}

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    if (!take_code_point(text)) return false;
  }
  return true;
}

bool is_utf8_text(std::string_view text) {
  while (!text.empty()) {
    const auto c = take_code_point(text);
    if (!c || *c < 0x20 || (*c >= 0x7F && *c <= 0x9F)) return false;
  }
  return true;
}

bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return octet(c) < 0x80; });
}

}  // namespace relay::mail
