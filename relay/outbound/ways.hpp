#pragma once
/// Finds the hosts of destinations and the terms on which to connect to them.

#include <mutex>
#include <random>

#include "relay/metrics/counters.hpp"
#include "relay/net/resolver.hpp"
#include "relay/outbound/refused_credentials.hpp"
#include "relay/outbound/source_ledger.hpp"
#include "relay/outbound/tls_policy.hpp"
#include "relay/tlspolicy/sts_cache.hpp"

namespace relay::outbound {

/// Hears of TLS with the servers of domains, for reports (RFC 8460). Thread: any shard.
class TlsObserver {
 public:
  virtual ~TlsObserver() = default;
  /// MTA-STS: the policy that counts for a domain, before what is tried under it.
  virtual void policy_found(const std::string& domain, const sts::Policy& policy) = 0;
  virtual void tried(
    const std::string& domain, const std::string& host, const delivery::Target& target,
    const std::optional<net::TlsFault>& fault
  ) = 0;
};

/// Thread: any shard, but for the constructor. References outlive it and all that awaits it.
class Ways : public delivery::RouteSource, public delivery::ProviderSource {
 public:
  struct Services {
    const PlanSource& plans;
    net::Resolver& resolver;
    tlspolicy::StsCache& sts;
    const Clock& clock;
    TlsObserver* observer = nullptr;  ///< may be null
  };
  /// @param ledger  what the sources have sent before this process
  Ways(Services services, SourceLedger ledger);

  [[nodiscard]] net::Awaitable<Found> find(route::Destination destination) override;
  [[nodiscard]] net::Awaitable<Resolved> resolve(
    std::shared_ptr<const delivery::Route> route, std::size_t host
  ) override;
  [[nodiscard]] std::uint64_t generation(const route::Destination& destination) const override;
  void credentials_refused(const delivery::Route& route, std::size_t host, const delivery::Target& target)
    override;
  void credentials_accepted(const delivery::Route& route, std::size_t host) override;
  bool may_send(const delivery::Target& target) override;
  void tls_tried(
    const delivery::Route& route, std::size_t host, const delivery::Target& target,
    const std::optional<net::TlsFault>& fault
  ) override;
  [[nodiscard]] net::Awaitable<Answer> provider(route::Destination destination) override;

  /// Smarthosts that refuse our credentials at present, by name.
  /// @param waited_for  destinations that mail waits for
  [[nodiscard]] std::vector<std::string> refusing_smarthosts(const std::vector<route::Destination>& waited_for
  );
  /// What the sources have sent today, to be kept.
  [[nodiscard]] std::string ledger() const;

 private:
  [[nodiscard]] Found find_smarthosts(const Plan& plan, const route::Destination& destination);
  net::Awaitable<Found> find_mx(std::shared_ptr<const Plan> plan, std::string domain, bool is_report);
  net::Awaitable<Resolved> resolve_smarthost(std::shared_ptr<const delivery::Route> route, std::size_t host);
  net::Awaitable<Resolved> resolve_mx(std::shared_ptr<const delivery::Route> route, std::size_t host);
  net::Awaitable<Result<HostFacts>> facts_of(
    std::shared_ptr<const Plan> plan, std::shared_ptr<const delivery::Route> route, std::string host,
    net::AddressAnswer addresses
  );
  net::Awaitable<Result<void>> find_tlsa(net::AddressAnswer addresses, HostFacts& facts);
  [[nodiscard]] Result<void> choose_source(
    const Plan& plan, const std::string& domain, const std::string& provider, delivery::Target& target
  );
  [[nodiscard]] double chance();
  [[nodiscard]] std::chrono::sys_days today() const;

  Services services_;
  mutable std::mutex mutex_;
  SourceLedger ledger_;  // under mutex_
  std::mt19937 random_;  // under mutex_
  RefusedCredentials refused_credentials_;
};

}  // namespace relay::outbound
