#pragma once
/// Names of next hops and what the DNS says of recipients' domains, by libunbound: asynchronous, caching, on
/// the node's own resolvers.

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "relay/net/asio.hpp"
#include "relay/net/dns_answer.hpp"
#include "relay/net/resolver_config.hpp"

namespace relay::net {

class DnsContext;
enum class DnsUse : std::uint8_t;

/// What a lookup came to: there is something; the zones say that there is nothing; or nobody knows.
enum class DnsOutcome : std::uint8_t { found, none, failed };
/// Hears of each lookup, addresses of a host once for both families. On the resolver's loop.
using DnsObserver = std::function<void(DnsOutcome)>;

/// Two views of the world, each with a cache of its own:
/// - lookup() is for smarthosts: A and AAAA with the hosts file and the search list, nothing validated;
/// - all others are for domains of recipients and their hosts: absolute names, no hosts file, validated by
///   DNSSEC. Their `is_secure` is what DANE rests on (RFC 7672 section 2.1).
/// When one of the files changes, lookups from then on use a new context; while none can be made the last one
/// serves on.
///
/// Lives on one loop; its lookups may be awaited from any shard. Outlives all lookups.
class Resolver {
 public:
  /// @param observer  may be empty
  Resolver(asio::io_context& context, ResolverFiles files, DnsObserver observer = {});
  ~Resolver();
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

  /// Lookups from a moment later on go by these files. Thread: any.
  void use(ResolverFiles files);

  /// IPv4 addresses first, each family in random order; an address as `host` is returned as it is.
  /// Errors: name_not_found (the zones say so), timed_out, unavailable (no server gave an answer); all
  /// transient: what a smarthost's name stands for is configuration, and configuration gets mended.
  [[nodiscard]] Awaitable<Result<std::vector<IpAddress>>> lookup(std::string host, milliseconds timeout);

  /// The validated lookups. Absence is an answer (`status`), not an error. Names are absolute, with or without
  /// their final dot, in ASCII; underscores are allowed.
  /// Errors, by whose `context` one tells them apart: timed_out; unavailable (SERVFAIL, REFUSED, no resolver);
  /// corrupt (DNSSEC: bogus); all transient, 4.4.3 to the sender. invalid_argument (permanent): not a host
  /// name, or an address.
  [[nodiscard]] Awaitable<Result<MxAnswer>> mx(std::string domain, milliseconds timeout);
  /// A and AAAA: IPv4 first, each family in random order. What one family has is returned although the
  /// other's answer failed or did not come in time.
  [[nodiscard]] Awaitable<Result<AddressAnswer>> addresses(std::string host, milliseconds timeout);
  /// `name` is the whole of it: `_25._tcp.mx.example.org`.
  [[nodiscard]] Awaitable<Result<TlsaAnswer>> tlsa(std::string name, milliseconds timeout);
  [[nodiscard]] Awaitable<Result<TxtAnswer>> txt(std::string name, milliseconds timeout);
  /// The CNAME of `name` itself, not of its target: an alias may be secure although what it leads to is not
  /// (RFC 7672 section 2.2.2).
  [[nodiscard]] Awaitable<Result<AliasAnswer>> alias(std::string name, milliseconds timeout);

 private:
  struct Lookup;
  struct Inquiry;
  /// One for each of an inquiry's types.
  using Answers = std::vector<Result<DnsAnswer>>;

  void begin(const std::shared_ptr<Lookup>& lookup);
  void ask_next(const std::shared_ptr<Lookup>& lookup);
  void finish(const std::shared_ptr<Lookup>& lookup, Result<std::vector<IpAddress>> result);

  Awaitable<Answers> ask(std::string name, std::vector<int> types, milliseconds timeout);
  void begin(const std::shared_ptr<Inquiry>& inquiry);
  void finish(const std::shared_ptr<Inquiry>& inquiry);

  void observe(DnsOutcome outcome) const;
  Result<std::shared_ptr<DnsContext>> current_context(DnsUse use, std::shared_ptr<DnsContext>& last);

  asio::io_context& context_;
  ResolverFiles files_;  // touched on the loop alone
  DnsObserver observer_;
  std::shared_ptr<DnsContext> for_smarthosts_;
  std::shared_ptr<DnsContext> for_domains_;
};

}  // namespace relay::net
