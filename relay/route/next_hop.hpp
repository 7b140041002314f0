#pragma once
/// Which next hop a recipient's mail goes to.

#include <compare>
#include <string>

#include "relay/base/network.hpp"
#include "relay/route/passwd_client.hpp"
#include "relay/smtp/client_session.hpp"

namespace relay::route {

/// The name of a queue: `smarthost/<name>` or `mx/<domain>`. Part of the spool's keys, so it must not change between versions.
struct Destination {
  std::string name;
  friend auto operator<=>(const Destination&, const Destination&) = default;
};

/// Where mail waits whose destination is not known any more, after damage to the spool. Its next attempt finds out.
inline constexpr std::string_view kUnroutedDestination = "smarthost/default";

/// A next hop, ready to be connected to.
struct NextHop {
  Endpoint endpoint;  ///< a name is looked up as A and AAAA, never MX; it is also the name TLS checks
  smtp::HopPolicy policy;
};

struct SmarthostSettings {
  Endpoint endpoint;
  smtp::TlsMode tls = smtp::TlsMode::required;
  std::string helo_name;
  smtp::ClientTimeouts timeouts;
};

/// The smarthost with the credentials that `passwords` holds for its host.
[[nodiscard]] NextHop smarthost(const SmarthostSettings& settings, const PasswdClient& passwords);

}  // namespace relay::route
