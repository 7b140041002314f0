#pragma once
/// The PROXY protocol, versions 1 and 2: a load balancer says who the client is before the first SMTP octet.
/// Source: haproxy.org, proxy-protocol.txt, sections 2.1, 2.2 and 2.2.6 (TLS).

#include <optional>
#include <string_view>

#include "relay/base/network.hpp"
#include "relay/mail/envelope.hpp"

namespace relay::smtp {

/// Version 1 has at most 107 octets with its CRLF (section 2.1).
inline constexpr std::size_t kMaxProxyV1 = 107;
/// Version 2 may announce 65,535 octets; real ones with all their TLVs stay far below this.
inline constexpr std::size_t kMaxProxyV2 = 4096;

struct ProxyHeader {
  std::size_t length = 0;           ///< octets of the header: SMTP starts behind them
  std::optional<IpAddress> client;  ///< nothing for LOCAL and UNKNOWN: then the peer itself is the client
  /// The TLS that the client uses towards the load balancer, as PP2_TYPE_SSL has it: letters, digits, `.`, `_` and `-`, at
  /// most 64 octets each, empty where it does not say so. Nothing: none, or nobody says so. What is malformed says nothing.
  std::optional<mail::TlsUse> tls{};
};

/// Reads the header that `received` starts with. Nothing while more octets are needed to tell.
/// Errors: Errc::protocol_error (permanent) when no octet to come can make it a header; then close the
/// connection.
[[nodiscard]] Result<std::optional<ProxyHeader>> parse_proxy_header(std::string_view received);

}  // namespace relay::smtp
