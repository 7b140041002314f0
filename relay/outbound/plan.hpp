#pragma once
/// NAME      outbound -- which hosts mail goes to at present, and on which terms: smarthosts, MX, TLS policy, sources,
///           limits
/// USES      delivery, queue, tlspolicy, oauth, net, route, base
/// INVARIANT mail never goes to an address inside unless the settings allow it; what a domain demands of TLS (DANE,
///           MTA-STS) is never lowered by a lookup that failed
/// FAILURES  lookups that fail are transient; what the DNS says for good (no such domain, null MX, a loop, only
///           forbidden addresses) is a verdict on the mail

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "relay/delivery/ports.hpp"
#include "relay/oauth/token_source.hpp"
#include "relay/queue/shape.hpp"
#include "relay/route/route_table.hpp"
#include "relay/route/site.hpp"

namespace relay::outbound {

/// One smarthost, ready to be used.
struct Smarthost {
  std::string name;
  delivery::Host host;  ///< with its credentials, but for a token
  std::string server_name;
  std::shared_ptr<const oauth::TokenSource> token;  ///< null: no XOAUTH2
  std::size_t max_connections = 20;
  std::optional<queue::Rate> message_rate;
  std::uint64_t generation = 0;  ///< rises when anything of it changes
};

enum class MxTls : std::uint8_t { none, opportunistic, policy, required };

/// How domains are treated that match; what is not set is as for all.
struct DomainRule {
  std::vector<std::string> domains;
  std::vector<std::string> providers;
  std::optional<std::uint64_t> max_connections;
  std::optional<queue::Rate> message_rate;
  std::optional<queue::Rate> connection_rate;
  std::optional<milliseconds> retry_initial;
  std::optional<milliseconds> retry_max;
  std::optional<milliseconds> max_age;
  std::optional<milliseconds> warn_after;
  std::optional<MxTls> tls;
  std::string source_pool;
  friend bool operator==(const DomainRule&, const DomainRule&) = default;
};

struct ProviderRule {
  route::SiteRule site;
  queue::ProviderShape shape;
};

/// An address to send from.
struct Source {
  std::string name;
  std::string pool;
  IpAddress address;
  std::uint64_t weight = 1;
  std::string helo_name;  ///< empty: the host's name
  /// Warm-up: messages on the first day, the second...; behind the last there is no limit. Empty: none.
  std::vector<std::uint64_t> messages_a_day;
  std::chrono::sys_days warm_up_from{};
  friend bool operator==(const Source&, const Source&) = default;
};

/// Delivery by MX.
struct MxSettings {
  smtp::HopPolicy policy;  ///< HELO name and timeouts; TLS and credentials do not count
  MxTls tls = MxTls::policy;
  std::size_t max_connections = 20;
  std::shared_ptr<net::TlsClient> tls_client;
  milliseconds connect_timeout{};
  std::uint64_t messages_per_connection = 100;
  Networks allowed;                    ///< inside, and delivered to nevertheless
  Networks own;                        ///< addresses of this node
  std::vector<std::string> own_names;  ///< an MX by one of these is ourselves
  std::uint16_t port = 25;
};

/// Everything that settings say of outgoing mail: an immutable snapshot.
struct Plan {
  std::shared_ptr<const route::RouteTable> routes;
  std::vector<Smarthost> smarthosts;  ///< as in `routes`
  MxSettings mx;
  std::vector<DomainRule> rules;  ///< the first that matches counts
  std::vector<ProviderRule> providers;
  std::vector<Source> sources;
  queue::RetrySchedule retry;  ///< of smarthosts; of MX with another `initial`
  milliseconds mx_retry_initial = std::chrono::minutes{30};
  milliseconds warn_after = std::chrono::hours{4};
  milliseconds idle_time{};
  std::uint64_t generation = 0;  ///< rises when anything of MX delivery changes
  /// Who sends reports of TLS failures; null: nobody.
  mail::Address tls_report_from;
};

class PlanSource {
 public:
  virtual ~PlanSource() = default;
  /// Thread: any.
  [[nodiscard]] virtual std::shared_ptr<const Plan> plan() const = 0;
};

/// The rule for a domain and its provider, or null.
[[nodiscard]] const DomainRule* rule_for(
  const Plan& plan, const std::string& domain, const std::string& provider
);

}  // namespace relay::outbound
