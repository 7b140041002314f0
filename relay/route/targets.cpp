#include "relay/route/targets.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>

namespace relay::route {
namespace {

/// IANA's special-purpose registries (RFC 6890), less what is globally reachable or documentation.
constexpr std::array kInside{
  "0.0.0.0/8",       // this network, and what connect() takes for loopback
  "10.0.0.0/8",      // RFC 1918
  "100.64.0.0/10",   // RFC 6598, carrier-grade NAT
  "127.0.0.0/8",     // loopback
  "169.254.0.0/16",  // link-local
  "172.16.0.0/12",   // RFC 1918
  "192.0.0.0/24",    // RFC 6890; a cloud has its metadata service there
  "192.168.0.0/16",  // RFC 1918
  "198.18.0.0/15",   // RFC 2544, often used inside
  "224.0.0.0/4",     // multicast
  "240.0.0.0/4",     // reserved, and broadcast
  "::/128",          // unspecified
  "::1/128",         // loopback
  "64:ff9b:1::/48",  // RFC 8215, local NAT64
  "100::/64",        // RFC 6666, discard
  "fc00::/7",        // RFC 4193, unique local
  "fe80::/10",       // link-local
  "fec0::/10",       // site-local, once (RFC 3879)
  "ff00::/8",        // multicast
};

/// Prefixes behind which an IPv4 address stands, and at which octet. Mapped ones are IPv4 to IpAddress.
struct Embedding {
  const char* network;
  std::size_t at;
};
constexpr std::array kEmbeddings{
  Embedding{"::/96", 12},         // RFC 4291 section 2.5.5.1, compatible
  Embedding{"64:ff9b::/96", 12},  // RFC 6052, NAT64
  Embedding{"2002::/16", 2},      // RFC 3056, 6to4
};

const Networks& inside() {
  static const auto networks = [] {
    Networks parsed;
    for (const auto* text : kInside) parsed.push_back(Cidr::parse(text).value());
    return parsed;
  }();
  return networks;
}

std::optional<IpAddress> embedded(const IpAddress& address) {
  if (address.is_v4()) return std::nullopt;
  for (const auto& [network, at] : kEmbeddings) {
    if (!Cidr::parse(network).value().contains(address)) continue;
    return IpAddress::v4(address.octets().subspan(at).first<4>());
  }
  return std::nullopt;
}

bool is_listed_alone(const Networks& networks, const IpAddress& address) {
  return std::any_of(networks.begin(), networks.end(), [&](const Cidr& network) {
    return network.is_single_address() && network.address() == address;
  });
}

bool is_forbidden(const IpAddress& address, const Networks& own, const Networks& allowed) {
  if (contains(own, address)) return !is_listed_alone(allowed, address);
  return contains(inside(), address) && !contains(allowed, address);
}

}  // namespace

bool is_forbidden_target(const IpAddress& address, const Networks& own, const Networks& allowed) {
  if (is_forbidden(address, own, allowed)) return true;
  const auto inner = embedded(address);
  return inner && !contains(allowed, address) && is_forbidden(*inner, own, allowed);
}

}  // namespace relay::route
