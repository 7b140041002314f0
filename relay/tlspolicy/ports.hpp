#pragma once
/// NAME      tlspolicy -- which TLS policy a domain has published: found, fetched and kept
/// USES      sts, web, net, base
///
/// INVARIANT a delivery waits for a policy only when none is known, and no longer than a limit; no shard waits for
///           the disk
/// FAILURES  what cannot be found or fetched means the policy that is kept, or none. A file that cannot be read is as
///           if absent. Both are logged
/// LIMITS    StsOptions

#include <string>
#include <vector>

#include "relay/net/asio.hpp"

namespace relay::tlspolicy {

/// Implementations are called on the loop of their StsCache and answer there, once and without exceptions. They
/// outlive it.
class TxtLookup {
 public:
  virtual ~TxtLookup() = default;
  /// The TXT records of a name, each with its strings put together without a space. Empty, or name_not_found, when
  /// DNS says that there are none; any other error says nothing about the domain. Answers within a deadline.
  [[nodiscard]] virtual net::Awaitable<Result<std::vector<std::string>>> txt(std::string name) = 0;
};

class PolicyFetcher {
 public:
  virtual ~PolicyFetcher() = default;
  /// The body at https://mta-sts.<domain>/.well-known/mta-sts.txt: certificate verified, no redirects, status 200,
  /// text/plain, at most 64 KiB, within 60 s (RFC 8461 section 3.3). Errors: tls_failed; too_large; others.
  [[nodiscard]] virtual net::Awaitable<Result<std::string>> fetch_policy(std::string domain) = 0;
};

}  // namespace relay::tlspolicy
