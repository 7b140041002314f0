#include "relay/base/text.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace relay {

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), ascii_lower);
  return out;
}

std::string upper(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), ascii_upper);
  return out;
}

bool equals_ignoring_case(std::string_view a, std::string_view b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) {
           return ascii_lower(x) == ascii_lower(y);
         });
}

bool starts_with_ignoring_case(std::string_view text, std::string_view prefix) {
  return text.size() >= prefix.size() && equals_ignoring_case(text.substr(0, prefix.size()), prefix);
}

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> pieces;
  while (!text.empty()) {
    const auto end = std::min(text.find(separator), text.size());
    if (const auto piece = trimmed(text.substr(0, end)); !piece.empty()) pieces.push_back(piece);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return pieces;
}

std::optional<std::uint64_t> parse_number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

std::string printable(std::string_view text, std::size_t limit) {
  std::string out(text.substr(0, limit));
  std::replace_if(out.begin(), out.end(), [](char c) { return !is_printable(c); }, '?');
  return out;
}

namespace {
constexpr std::string_view kBase64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
}

std::string base64(std::string_view octets) {
  std::string out;
  out.reserve((octets.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < octets.size(); i += 3) {
    const auto at = [&](std::size_t k) {
      return i + k < octets.size() ? std::uint32_t{static_cast<unsigned char>(octets[i + k])} : 0U;
    };
    const std::uint32_t group = at(0) << 16U | at(1) << 8U | at(2);
    out += kBase64[group >> 18U];
    out += kBase64[group >> 12U & 63U];
    out += i + 1 < octets.size() ? kBase64[group >> 6U & 63U] : '=';
    out += i + 2 < octets.size() ? kBase64[group & 63U] : '=';
  }
  return out;
}

std::optional<std::string> parse_base64(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  std::string out;
  for (std::size_t i = 0; i < text.size(); i += 4) {
    std::uint32_t group = 0;
    std::size_t padding = 0;
    for (const char c : text.substr(i, 4)) {
      const auto value = kBase64.find(c);
      if (c == '=') ++padding;
      else if (padding > 0 || value == std::string_view::npos) return std::nullopt;
      group = group << 6U | (c == '=' ? 0U : static_cast<std::uint32_t>(value));
    }
    if (padding > 2 || (padding > 0 && i + 4 != text.size())) return std::nullopt;
    const std::array<char, 3> octets{
      static_cast<char>(group >> 16U), static_cast<char>(group >> 8U), static_cast<char>(group)
    };
    out.append(octets.data(), 3 - padding);
  }
  // Bits that padding drops must be zero, or two texts would stand for the same octets (RFC 4648 section
  // 3.5).
  if (base64(out) != text) return std::nullopt;
  return out;
}

}  // namespace relay
