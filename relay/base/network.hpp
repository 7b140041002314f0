#pragma once
/// IP addresses, networks and listen or target endpoints as values.

#include <array>
#include <compare>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "relay/base/result.hpp"

namespace relay {

/// An IPv4 or IPv6 address. IPv4-mapped IPv6 (::ffff:a.b.c.d) is stored as IPv4, so that one client is one
/// value whichever socket family it came by. No zone identifiers.
class IpAddress {
 public:
  /// 0.0.0.0
  IpAddress() = default;
  [[nodiscard]] static Result<IpAddress> parse(std::string_view text);
  [[nodiscard]] static IpAddress v4(std::span<const std::uint8_t, 4> octets);
  [[nodiscard]] static IpAddress v6(std::span<const std::uint8_t, 16> octets);

  [[nodiscard]] bool is_v4() const { return is_v4_; }
  /// 32 or 128.
  [[nodiscard]] unsigned bits() const { return is_v4_ ? 32 : 128; }
  /// Network order, 4 or 16 octets. The view lives as long as this object.
  [[nodiscard]] std::span<const std::uint8_t> octets() const;
  [[nodiscard]] bool is_loopback() const;
  [[nodiscard]] std::string to_text() const;
  /// As RFC 5321 section 4.1.3 writes it between brackets: `10.0.0.1` or `IPv6:2001:db8::1`.
  [[nodiscard]] std::string to_literal() const;

  friend auto operator<=>(const IpAddress&, const IpAddress&) = default;

 private:
  std::array<std::uint8_t, 16> octets_{};
  bool is_v4_ = true;
};

/// A network: an address and how many of its leading bits count.
class Cidr {
 public:
  /// Reads `10.0.0.0/8`, `2001:db8::/32`, or an address alone (/32, /128). Host bits must be zero:
  /// `10.0.0.1/8` is more likely a slip than a wish. Errors: Errc::invalid_argument, permanent.
  [[nodiscard]] static Result<Cidr> parse(std::string_view text);

  [[nodiscard]] bool contains(const IpAddress& address) const;
  /// True for /32 and /128.
  [[nodiscard]] bool is_single_address() const { return prefix_ == address_.bits(); }
  [[nodiscard]] const IpAddress& address() const { return address_; }
  [[nodiscard]] unsigned prefix() const { return prefix_; }
  [[nodiscard]] std::string to_text() const;

  friend bool operator==(const Cidr&, const Cidr&) = default;

 private:
  Cidr(IpAddress address, unsigned prefix) : address_(address), prefix_(prefix) {}
  IpAddress address_;
  unsigned prefix_;
};

using Networks = std::vector<Cidr>;
[[nodiscard]] bool contains(const Networks& networks, const IpAddress& address);

/// A host (name or address, without brackets) and a TCP port.
struct Endpoint {
  std::string host;
  std::uint16_t port = 0;

  /// Reads `host:port` and `[v6]:port`; an empty host (`:25`) means every address and is stored as `0.0.0.0`.
  /// Port 0 means any free one. Errors: Errc::invalid_argument, permanent.
  [[nodiscard]] static Result<Endpoint> parse(std::string_view text);
  [[nodiscard]] std::string to_text() const;
  friend bool operator==(const Endpoint&, const Endpoint&) = default;
};

/// True for a DNS host name of letters, digits, hyphens and dots (RFC 1123 section 2.1), underscores
/// tolerated in labels, at most 255 octets, no trailing dot. Addresses are not host names, though `1` is.
[[nodiscard]] bool is_host_name(std::string_view text);

}  // namespace relay
