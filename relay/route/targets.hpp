#pragma once
/// Which addresses mail for a stranger's domain never goes to: a domain's owner says by its MX and A records
/// where we connect, and must not reach what is inside, or ourselves.

#include "relay/base/network.hpp"

namespace relay::route {

/// True for what is not on the public internet: this host, loopback, private and shared networks, link-local
/// (with the clouds' metadata service, 169.254.169.254), multicast, broadcast, reserved; and for IPv6
/// addresses that stand for such an IPv4 address (mapped, compatible, NAT64, 6to4). Networks of documentation
/// are not in it: nothing inside answers there.
///
/// @param own      addresses of the node and of its pod. Forbidden unless `allowed` lists the very address
///                 alone, so that an allowed network does not make a loop of us
/// @param allowed  networks that are delivered to although they are not public (`mx_allowed_networks`)
[[nodiscard]] bool is_forbidden_target(
  const IpAddress& address, const Networks& own, const Networks& allowed
);

}  // namespace relay::route
