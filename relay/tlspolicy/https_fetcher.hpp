#pragma once
/// Policies from the web servers of their domains.

#include "relay/tlspolicy/ports.hpp"
#include "relay/web/client.hpp"

namespace relay::tlspolicy {

/// Thread: one loop. Lifetime: `resolver` outlives it.
class HttpsPolicyFetcher : public PolicyFetcher {
 public:
  using Filter = std::function<bool(const IpAddress&)>;
  /// @param tls          verifies by the authorities of the web (RFC 8461 section 3.3)
  /// @param may_connect  as web::Request has it: a stranger's domain says where we connect
  HttpsPolicyFetcher(net::Resolver& resolver, std::shared_ptr<net::TlsClient> tls, Filter may_connect = {})
      : resolver_(resolver), tls_(std::move(tls)), may_connect_(std::move(may_connect)) {}

  [[nodiscard]] net::Awaitable<Result<std::string>> fetch_policy(std::string domain) override;

 private:
  net::Resolver& resolver_;
  std::shared_ptr<net::TlsClient> tls_;
  Filter may_connect_;
};

/// What of an answer is a policy file. Errors: unavailable (transient) for any status but 200, redirects included,
/// and for any type but text/plain.
[[nodiscard]] Result<std::string> policy_text(web::Response response);

}  // namespace relay::tlspolicy
