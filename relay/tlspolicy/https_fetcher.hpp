#pragma once
/// Policies from the web servers of their domains.

#include "relay/tlspolicy/ports.hpp"
#include "relay/web/client.hpp"

namespace relay::tlspolicy {

/// Thread: one loop. Lifetime: `resolver` outlives it.
class HttpsPolicyFetcher : public PolicyFetcher {
 public:
  using Filter = std::function<bool(const IpAddress&)>;
  /// @param tls           verifies by the authorities of the web (RFC 8461 section 3.3)
  /// @param is_forbidden  as web::Limits has it: a stranger's domain says where we connect
  HttpsPolicyFetcher(net::Resolver& resolver, std::shared_ptr<net::TlsClient> tls, Filter is_forbidden = {})
      : resolver_(resolver), tls_(std::move(tls)), is_forbidden_(std::move(is_forbidden)) {}

  [[nodiscard]] net::Awaitable<Result<std::string>> fetch_policy(std::string domain) override;

 private:
  net::Resolver& resolver_;
  std::shared_ptr<net::TlsClient> tls_;
  Filter is_forbidden_;
};

/// What of an answer is a policy file. Errors: unavailable (transient) for any status but 200, redirects included,
/// and for any type but text/plain.
[[nodiscard]] Result<std::string> policy_text(web::Response response);

}  // namespace relay::tlspolicy
