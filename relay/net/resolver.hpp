#pragma once
/// Addresses of next hops, by libunbound: asynchronous, caching, on the node's own resolvers.

#include <memory>
#include <string>
#include <vector>

#include "relay/net/asio.hpp"

namespace relay::net {

struct ResolverFiles {
  std::string resolv_conf = "/etc/resolv.conf";
  std::string hosts = "/etc/hosts";
};

/// Looks up A and AAAA, honours the hosts file and the search list, and never MX. Private names (.test,
/// home.arpa, reverse zones of private networks) go to the node's resolvers like all others: libunbound would
/// answer some of them itself. When one of the files changes, lookups from then on use a new context, since
/// libunbound freezes its forwarders.
///
/// Lives on one loop; lookup() may be awaited from any shard. Outlives all lookups.
class Resolver {
 public:
  Resolver(asio::io_context& context, ResolverFiles files);
  ~Resolver();
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

  /// IPv4 addresses first, each family in random order; an address as `host` is returned as it is.
  /// Errors: name_not_found (the zones say so), timed_out, unavailable (no server gave an answer); all
  /// transient: what a smarthost's name stands for is configuration, and configuration gets mended.
  [[nodiscard]] Awaitable<Result<std::vector<IpAddress>>> lookup(std::string host, milliseconds timeout);

 private:
  class Context;
  struct Lookup;
  void begin(const std::shared_ptr<Lookup>& lookup);
  void ask_next(const std::shared_ptr<Lookup>& lookup);
  void finish(const std::shared_ptr<Lookup>& lookup, Result<std::vector<IpAddress>> result);
  std::shared_ptr<Context> current_context();

  asio::io_context& context_;
  ResolverFiles files_;
  std::shared_ptr<Context> unbound_;
};

}  // namespace relay::net
