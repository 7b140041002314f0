#include "relay/net/dns_rdata.hpp"

#include <algorithm>
#include <array>

#include "relay/base/text.hpp"

namespace relay::net {
namespace {

/// RFC 1035 section 2.3.4.
constexpr std::size_t kMaxName = 255;
constexpr std::size_t kMaxLabel = 63;

std::uint8_t octet_at(std::string_view octets, std::size_t at) {
  return static_cast<std::uint8_t>(octets[at]);
}

void append_label(std::string& text, std::string_view label) {
  for (const char c : label) {
    if (is_printable(c) && c != ' ' && c != '.' && c != '\\') {
      text += ascii_lower(c);
      continue;
    }
    const auto value = static_cast<unsigned>(static_cast<std::uint8_t>(c));
    text += '\\';
    for (const unsigned power : {100U, 10U, 1U}) text += static_cast<char>('0' + value / power % 10);
  }
}

template <std::size_t size>
std::optional<std::array<std::uint8_t, size>> octets_of(std::string_view rdata) {
  if (rdata.size() != size) return std::nullopt;
  std::array<std::uint8_t, size> octets{};
  std::transform(rdata.begin(), rdata.end(), octets.begin(), [](char c) {
    return static_cast<std::uint8_t>(c);
  });
  return octets;
}

}  // namespace

std::optional<std::string> parse_name(std::string_view octets) {
  if (octets.size() > kMaxName) return std::nullopt;
  std::string text;
  for (std::size_t at = 0; at < octets.size();) {
    const std::size_t length = octet_at(octets, at);
    if (length == 0) {
      if (at + 1 != octets.size()) return std::nullopt;
      return text.empty() ? "." : text;
    }
    if (length > kMaxLabel || length >= octets.size() - at) return std::nullopt;
    if (!text.empty()) text += '.';
    append_label(text, octets.substr(at + 1, length));
    at += length + 1;
  }
  return std::nullopt;
}

std::optional<MxRecord> parse_mx(std::string_view rdata) {
  if (rdata.size() < 3) return std::nullopt;
  auto host = parse_name(rdata.substr(2));
  if (!host) return std::nullopt;
  const auto preference = static_cast<std::uint16_t>(octet_at(rdata, 0) << 8 | octet_at(rdata, 1));
  return MxRecord{preference, std::move(*host)};
}

std::optional<TlsaRecord> parse_tlsa(std::string_view rdata) {
  if (rdata.size() < 4) return std::nullopt;
  return TlsaRecord{octet_at(rdata, 0), octet_at(rdata, 1), octet_at(rdata, 2), std::string(rdata.substr(3))};
}

std::optional<std::string> parse_txt(std::string_view rdata) {
  if (rdata.empty()) return std::nullopt;
  std::string text;
  while (!rdata.empty()) {
    const std::size_t length = octet_at(rdata, 0);
    if (length >= rdata.size()) return std::nullopt;
    text += rdata.substr(1, length);
    rdata.remove_prefix(length + 1);
  }
  return text;
}

std::optional<IpAddress> parse_a(std::string_view rdata) {
  const auto octets = octets_of<4>(rdata);
  return octets ? std::optional(IpAddress::v4(*octets)) : std::nullopt;
}

std::optional<IpAddress> parse_aaaa(std::string_view rdata) {
  const auto octets = octets_of<16>(rdata);
  return octets ? std::optional(IpAddress::v6(*octets)) : std::nullopt;
}

}  // namespace relay::net
