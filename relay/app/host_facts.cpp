#include "relay/app/host_facts.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <fstream>
#include <iterator>
#include <unistd.h>

#include "relay/base/text.hpp"

namespace relay::app {
namespace {

constexpr std::string_view kDrain = "smtp.buildinglink.com/drain=";
constexpr std::string_view kRetire = "smtp.buildinglink.com/retire=";
constexpr std::string_view kCordoned = "smtp.buildinglink.com/cordoned=";
/// A reason is a word or two of the operator's.
constexpr std::size_t kLongestReason = 200;

/// The value of the line that begins with `key`; empty where there is none. Escapes stay as they are.
std::string_view value_of(std::string_view annotations, std::string_view key) {
  for (const auto line : split(annotations, '\n')) {
    if (!line.starts_with(key)) continue;
    const auto value = line.substr(key.size());
    const bool is_quoted = value.size() >= 2 && value.starts_with('"') && value.ends_with('"');
    return is_quoted ? value.substr(1, value.size() - 2) : value;
  }
  return {};
}

bool says_yes(std::string_view value) { return !value.empty() && !equals_ignoring_case(value, "false"); }

std::vector<std::string_view> words_of(std::string_view line) {
  std::vector<std::string_view> words;
  while (true) {
    const auto begin = line.find_first_not_of(" \t");
    if (begin == std::string_view::npos) return words;
    line.remove_prefix(begin);
    const auto end = std::min(line.find_first_of(" \t"), line.size());
    words.push_back(line.substr(0, end));
    line.remove_prefix(end);
  }
}

template <std::size_t N>
bool parse_hex(std::string_view digits, std::array<std::uint8_t, N>& octets) {
  if (digits.size() != 2 * N) return false;
  for (std::size_t i = 0; i < N; ++i) {
    const auto pair = digits.substr(2 * i, 2);
    const auto [end, error] = std::from_chars(pair.data(), pair.data() + 2, octets[i], 16);
    if (error != std::errc{} || end != pair.data() + 2) return false;
  }
  return true;
}

bool is_zero(std::string_view digits) { return digits.find_first_not_of('0') == std::string_view::npos; }

Cidr single(const IpAddress& address) { return *Cidr::parse(address.to_text()); }

std::string read_file(const char* path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

Networks parse_default_gateways(std::string_view route, std::string_view ipv6_route) {
  Networks gateways;
  // Interface, destination, gateway, ...: addresses as hexadecimal numbers in the machine's (little-endian)
  // order.
  for (const auto line : split(route, '\n')) {
    const auto words = words_of(line);
    std::array<std::uint8_t, 4> octets{};
    if (words.size() < 3 || words[1] != "00000000" || is_zero(words[2]) || !parse_hex(words[2], octets))
      continue;
    std::reverse(octets.begin(), octets.end());
    gateways.push_back(single(IpAddress::v4(octets)));
  }
  // Destination, its prefix, source, its prefix, next hop, ...: addresses in network order.
  for (const auto line : split(ipv6_route, '\n')) {
    const auto words = words_of(line);
    std::array<std::uint8_t, 16> octets{};
    if (words.size() < 5 || !is_zero(words[0]) || words[1] != "00" || is_zero(words[4]) ||
        !parse_hex(words[4], octets))
      continue;
    gateways.push_back(single(IpAddress::v6(octets)));
  }
  return gateways;
}

Networks read_default_gateways() {
  return parse_default_gateways(read_file("/proc/net/route"), read_file("/proc/net/ipv6_route"));
}

std::string machine_name() {
  std::array<char, 256> name{};
  if (gethostname(name.data(), name.size() - 1) != 0 || !is_host_name(name.data())) return "localhost";
  return name.data();
}

bool asks_for_drain(std::string_view annotations) { return says_yes(value_of(annotations, kDrain)); }

bool asks_to_retire(std::string_view annotations) { return says_yes(value_of(annotations, kRetire)); }

std::optional<std::string> cordon_in(std::string_view annotations) {
  const auto value = value_of(annotations, kCordoned);
  if (!says_yes(value)) return std::nullopt;
  return printable(value, kLongestReason);
}

}  // namespace relay::app
