#include "relay/base/network.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <charconv>

#include "relay/base/text.hpp"

namespace relay {
namespace {

constexpr std::array<std::uint8_t, 12> kMappedPrefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

bool equal_bits(std::span<const std::uint8_t> a, std::span<const std::uint8_t> b, unsigned count) {
  const unsigned whole = count / 8;
  if (!std::equal(a.begin(), a.begin() + whole, b.begin())) return false;
  if (count % 8 == 0) return true;
  const auto mask = static_cast<std::uint8_t>(0xff00U >> (count % 8));
  return (a[whole] & mask) == (b[whole] & mask);
}

bool has_host_bits(std::span<const std::uint8_t> octets, unsigned prefix) {
  for (unsigned bit = prefix; bit < octets.size() * 8; ++bit) {
    if ((octets[bit / 8] >> (7 - bit % 8) & 1) != 0) return true;
  }
  return false;
}

}  // namespace

Result<IpAddress> IpAddress::parse(std::string_view text) {
  // inet_pton wants a terminated string; the longest text of an address is 45 octets.
  const std::string terminated(text.substr(0, 64));
  std::array<std::uint8_t, 16> raw{};
  if (terminated.find('\0') == std::string::npos) {
    if (inet_pton(AF_INET, terminated.c_str(), raw.data()) == 1) return v4(std::span(raw).first<4>());
    if (inet_pton(AF_INET6, terminated.c_str(), raw.data()) == 1) return v6(raw);
  }
  return permanent(Errc::invalid_argument, "'" + printable(text, 64) + "' is not an IP address");
}

IpAddress IpAddress::v4(std::span<const std::uint8_t, 4> octets) {
  IpAddress address;
  std::copy(octets.begin(), octets.end(), address.octets_.begin());
  return address;
}

IpAddress IpAddress::v6(std::span<const std::uint8_t, 16> octets) {
  if (std::equal(kMappedPrefix.begin(), kMappedPrefix.end(), octets.begin())) return v4(octets.last<4>());
  IpAddress address;
  std::copy(octets.begin(), octets.end(), address.octets_.begin());
  address.is_v4_ = false;
  return address;
}

std::span<const std::uint8_t> IpAddress::octets() const { return std::span(octets_).first(is_v4_ ? 4 : 16); }

bool IpAddress::is_loopback() const {
  if (is_v4_) return octets_[0] == 127;
  return std::all_of(octets_.begin(), octets_.end() - 1, [](auto octet) { return octet == 0; }) &&
         octets_[15] == 1;
}

std::string IpAddress::to_text() const {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (!is_v4_) return inet_ntop(AF_INET6, octets_.data(), text.data(), text.size());
  // inet_ntop makes it by sprintf, some 3,500 instructions; a message's records and Received line hold several.
  auto* end = text.data();
  for (const auto octet : octets()) {
    if (end != text.data()) *end++ = '.';
    end = std::to_chars(end, text.data() + text.size(), static_cast<unsigned>(octet)).ptr;
  }
  return {text.data(), end};
}

std::string IpAddress::to_literal() const { return is_v4_ ? to_text() : "IPv6:" + to_text(); }

Result<Cidr> Cidr::parse(std::string_view text) {
  const auto slash = text.find('/');
  auto address = IpAddress::parse(text.substr(0, slash));
  if (!address) {
    return permanent(
      Errc::invalid_argument,
      "'" + printable(text, 64) + "' is not a network such as 10.20.0.0/16 or 2001:db8::/32"
    );
  }
  if (slash == std::string_view::npos) return Cidr(*address, address->bits());
  const auto prefix = parse_number(text.substr(slash + 1));
  if (!prefix || *prefix > address->bits()) {
    return permanent(
      Errc::invalid_argument,
      "'" + printable(text, 64) + "' needs a prefix length from 0 to " + std::to_string(address->bits())
    );
  }
  const auto length = static_cast<unsigned>(*prefix);
  if (has_host_bits(address->octets(), length)) {
    return permanent(
      Errc::invalid_argument, "'" + printable(text, 64) + "' has bits set behind its prefix length"
    );
  }
  return Cidr(*address, length);
}

bool Cidr::contains(const IpAddress& address) const {
  return address.is_v4() == address_.is_v4() && equal_bits(address.octets(), address_.octets(), prefix_);
}

std::string Cidr::to_text() const { return address_.to_text() + "/" + std::to_string(prefix_); }

bool contains(const Networks& networks, const IpAddress& address) {
  return std::any_of(networks.begin(), networks.end(), [&](const Cidr& network) {
    return network.contains(address);
  });
}

Result<Endpoint> Endpoint::parse(std::string_view text) {
  const auto colon = text.rfind(':');
  const auto port = colon == std::string_view::npos ? std::nullopt : parse_number(text.substr(colon + 1));
  if (!port || *port > 65535) {
    return permanent(
      Errc::invalid_argument, "'" + printable(text, 300) + "' is not host:port (IPv6 addresses in brackets)"
    );
  }
  auto host = text.substr(0, colon);
  const bool in_brackets = host.starts_with('[') && host.ends_with(']');
  if (in_brackets) host = host.substr(1, host.size() - 2);
  const auto address = IpAddress::parse(host);
  const bool is_valid = in_brackets ? address && !address->is_v4()
                        : address   ? address->is_v4()
                                    : is_host_name(host);
  if (!host.empty() && !is_valid) {
    return permanent(
      Errc::invalid_argument, "'" + printable(host, 300) + "' is not a host name or an address"
    );
  }
  return Endpoint{host.empty() ? "0.0.0.0" : std::string(host), static_cast<std::uint16_t>(*port)};
}

std::string Endpoint::to_text() const {
  const bool is_v6 = host.find(':') != std::string::npos;
  return (is_v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

bool is_host_name(std::string_view text) {
  if (text.empty() || text.size() > 255) return false;
  while (true) {
    const auto dot = text.find('.');
    const auto label = text.substr(0, dot);
    const bool is_label =
      !label.empty() && label.size() <= 63 && label.front() != '-' && label.back() != '-' &&
      std::all_of(label.begin(), label.end(), [](char c) { return is_alnum(c) || c == '-' || c == '_'; });
    if (!is_label) return false;
    if (dot == std::string_view::npos) return true;
    text.remove_prefix(dot + 1);
  }
}

}  // namespace relay
