#pragma once
/// NAME      ctl -- relayctl: asks a running relay's admin interface
/// USES      base
///
/// INVARIANT speaks to loopback only; the token is read from the spool folder and shown nowhere
/// FAILURES  one sentence that says what to do, exit code 1

#include <nlohmann/json.hpp>
#include <string>

#include "relay/base/network.hpp"

namespace relay::ctl {

struct AdminInterface {
  Endpoint endpoint{"127.0.0.1", 8026};
  std::string token_file = "/var/spool/smtp-relay/admin.token";
};

/// One request; each step of it has a deadline of 30 s. @param target  path and query, as it goes on the wire
/// Errors: invalid_argument (an endpoint that is not loopback, too: nothing is sent then), not_found (no token file, or
/// what the relay does not know), conflict, corrupt (a record of that message does not verify), connection_failed,
/// unavailable: the relay's own words.
[[nodiscard]] Result<nlohmann::ordered_json> request(
  const AdminInterface& admin, const std::string& method, const std::string& target,
  const std::string& body = {}
);

/// The first of what `admin_listen` names, `host:port` with commas between them. Errors as Endpoint::parse().
[[nodiscard]] Result<Endpoint> first_endpoint(std::string_view listen);

/// A value for a query (RFC 3986 section 2.1): all but letters, digits and `-._~` as `%40`.
[[nodiscard]] std::string encoded(std::string_view text);

}  // namespace relay::ctl
