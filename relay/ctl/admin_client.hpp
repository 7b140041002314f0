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

/// One request, with a deadline of 10 s. @param target  path and query, as it goes on the wire
/// Errors: not_found or not_permitted (the token file), connection_failed, timed_out, unavailable (the
/// relay's own words).
[[nodiscard]] Result<nlohmann::ordered_json> request(
  const AdminInterface& admin, const std::string& method, const std::string& target
);

}  // namespace relay::ctl
