#include "relay/base/network_set.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <utility>

namespace relay {
namespace {

/// The first address of the network of this length that the address is in.
IpAddress masked(const IpAddress& address, unsigned prefix) {
  std::array<std::uint8_t, 16> octets{};
  const auto from = address.octets();
  const unsigned whole = prefix / 8;
  std::copy_n(from.begin(), whole, octets.begin());
  if (prefix % 8 != 0) octets[whole] = static_cast<std::uint8_t>(from[whole] & (0xff00U >> (prefix % 8)));
  return address.is_v4() ? IpAddress::v4(std::span(octets).first<4>()) : IpAddress::v6(octets);
}

}  // namespace

NetworkSet::NetworkSet(const Networks& networks) {
  std::map<std::pair<bool, unsigned>, std::vector<IpAddress>> by_length;
  for (const auto& network : networks)
    by_length[{network.address().is_v4(), network.prefix()}].push_back(network.address());
  for (auto& [length, addresses] : by_length) {
    std::sort(addresses.begin(), addresses.end());
    levels_.push_back({length.first, length.second, std::move(addresses)});
  }
}

bool NetworkSet::contains(const IpAddress& address) const {
  return std::any_of(levels_.begin(), levels_.end(), [&](const Level& level) {
    return level.is_v4 == address.is_v4() &&
           std::binary_search(level.networks.begin(), level.networks.end(), masked(address, level.prefix));
  });
}

}  // namespace relay
