#include "relay/net/asio.hpp"

#include <algorithm>

namespace relay::net {

asio::ip::address to_asio(const IpAddress& address) {
  const auto octets = address.octets();
  if (address.is_v4()) {
    asio::ip::address_v4::bytes_type bytes{};
    std::copy(octets.begin(), octets.end(), bytes.begin());
    return asio::ip::address_v4(bytes);
  }
  asio::ip::address_v6::bytes_type bytes{};
  std::copy(octets.begin(), octets.end(), bytes.begin());
  return asio::ip::address_v6(bytes);
}

IpAddress from_asio(const asio::ip::address& address) {
  if (address.is_v4()) return IpAddress::v4(address.to_v4().to_bytes());
  return IpAddress::v6(address.to_v6().to_bytes());
}

Error to_error(const error_code& ec, std::string_view what) {
  const bool is_refusal = ec == asio::error::connection_refused || ec == asio::error::network_unreachable ||
                          ec == asio::error::host_unreachable;
  const auto code = is_refusal ? Errc::connection_failed : Errc::connection_lost;
  return Error{code, Fate::transient, std::string(what) + ": " + ec.message()};
}

}  // namespace relay::net
