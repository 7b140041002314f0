#include "relay/session/client_counts.hpp"

#include <algorithm>
#include <array>
#include <cstdint>

namespace relay::session {
namespace {

/// fe80::/10
bool is_link_local(const IpAddress& address) {
  return !address.is_v4() && address.octets()[0] == 0xfe && (address.octets()[1] & 0xc0U) == 0x80;
}

}  // namespace

IpAddress client_of(const IpAddress& address) {
  if (address.is_v4() || is_link_local(address)) return address;
  std::array<std::uint8_t, 16> octets{};
  std::copy_n(address.octets().begin(), octets.size() / 2, octets.begin());
  return IpAddress::v6(octets);
}

std::optional<ClientCounts::Place> ClientCounts::enter(const IpAddress& address, std::size_t limit) {
  const auto client = client_of(address);
  const std::scoped_lock lock(mutex_);
  auto& count = connections_[client];
  if (count >= limit) return std::nullopt;
  ++count;
  return Place(*this, client);
}

void ClientCounts::leave(const IpAddress& client) {
  const std::scoped_lock lock(mutex_);
  const auto found = connections_.find(client);
  if (--found->second == 0) connections_.erase(found);
}

std::size_t ClientCounts::clients() const {
  const std::scoped_lock lock(mutex_);
  return connections_.size();
}

}  // namespace relay::session
