#include "relay/outbound/ways.hpp"

#include <algorithm>

#include "relay/outbound/a_label.hpp"
#include "relay/route/mx.hpp"
#include "relay/route/targets.hpp"

namespace relay::outbound {
namespace {

using delivery::NoRoute;
using delivery::Route;
using net::Awaitable;
using Found = delivery::RouteSource::Found;
using Resolved = delivery::RouteSource::Resolved;

/// Hosts of a domain that are tried in one round.
constexpr std::size_t kMaxHosts = 5;
/// How long the answer to whose mail servers a domain has counts.
constexpr std::chrono::minutes kProviderValid{10};
constexpr std::chrono::minutes kNoProviderValid{1};

tl::unexpected<NoRoute> waits(Error error) { return tl::unexpected(NoRoute{std::move(error), std::nullopt}); }
tl::unexpected<NoRoute> refused(route::MxRefusal refusal, const std::string& domain) {
  auto reply = route::refusal_reply(refusal, domain);
  return tl::unexpected(NoRoute{{Errc::name_not_found, Fate::permanent, reply.text}, std::move(reply)});
}

route::MxSet to_set(const net::MxAnswer& answer) {
  route::MxSet set;
  switch (answer.status) {
    case net::DnsStatus::found: set.status = route::MxSet::Status::found; break;
    case net::DnsStatus::no_data: set.status = route::MxSet::Status::no_data; break;
    case net::DnsStatus::no_such_domain: set.status = route::MxSet::Status::no_such_domain; break;
  }
  for (const auto& record : answer.records) set.records.push_back({record.preference, record.host});
  return set;
}

const Smarthost* smarthost_of(const Plan& plan, const delivery::Host& host) {
  const auto found = std::find_if(plan.smarthosts.begin(), plan.smarthosts.end(), [&](const Smarthost& one) {
    return one.name == host.name;
  });
  return found == plan.smarthosts.end() ? nullptr : &*found;
}

std::vector<route::SiteRule> site_rules(const Plan& plan) {
  std::vector<route::SiteRule> rules;
  for (const auto& rule : plan.providers) rules.push_back(rule.site);
  return rules;
}

}  // namespace

Ways::Ways(Services services, SourceLedger ledger)
    : services_(services), ledger_(std::move(ledger)), random_(std::random_device{}()) {}

double Ways::chance() {
  const std::scoped_lock lock(mutex_);
  return std::uniform_real_distribution<double>(0, 1)(random_);
}

std::chrono::sys_days Ways::today() const {
  return std::chrono::floor<std::chrono::days>(services_.clock.wall());
}

// ---- hosts ----

Awaitable<Found> Ways::find(route::Destination destination) {
  const auto plan = services_.plans.plan();
  auto domain = route::mx_domain(destination);
  if (!destination.name.starts_with("mx/")) co_return find_smarthosts(*plan, destination);
  const bool is_report = route::is_report_destination(destination);
  auto found = co_await find_mx(plan, std::move(domain), is_report);
  co_return found;
}

Found Ways::find_smarthosts(const Plan& plan, const route::Destination& destination) {
  auto route = std::make_shared<Route>();
  for (const auto member : plan.routes->order(destination, [this] { return chance(); }))
    route->hosts.push_back(plan.smarthosts[member].host);
  if (route->hosts.empty())
    return waits(
      {Errc::not_found, Fate::transient, "no smarthost of the settings is called " + destination.name}
    );
  route->generation = generation(destination);
  route->idle_time = plan.idle_time;
  return route;
}

Awaitable<Found> Ways::find_mx(std::shared_ptr<const Plan> plan, std::string domain, bool is_report) {
  const auto ascii = a_label(domain);
  if (!ascii || ascii->empty()) co_return refused(route::MxRefusal::no_such_domain, domain);
  auto answer = co_await services_.resolver.mx(*ascii, plan->mx.connect_timeout);
  if (!answer && answer.error().fate == Fate::permanent)
    co_return refused(route::MxRefusal::no_such_domain, domain);
  if (!answer) co_return waits(std::move(answer.error()));
  struct Chance : Jitter {
    explicit Chance(Ways& owner) : ways(owner) {}
    double fraction() override { return ways.chance(); }
    Ways& ways;
  };
  Chance jitter(*this);
  const auto hosts = route::mx_hosts(*ascii, to_set(*answer), plan->mx.own_names, jitter);
  if (!hosts) co_return refused(hosts.error(), domain);
  auto route = std::make_shared<Route>();
  std::vector<std::string> names;
  for (const auto& host : *hosts) names.push_back(host.name);
  route->provider = route::site_of(names, site_rules(*plan));
  route->has_more_hosts = names.size() > kMaxHosts;
  if (route->has_more_hosts) names.resize(kMaxHosts);
  for (const auto& name : names) {
    delivery::Host host;
    host.next_hop = {{name, plan->mx.port}, plan->mx.policy};
    host.tls = plan->mx.tls_client;
    host.is_mx = true;
    host.connect_timeout = plan->mx.connect_timeout;
    host.messages_per_connection = plan->mx.messages_per_connection;
    route->hosts.push_back(std::move(host));
  }
  route->domain = *ascii;
  route->is_secure = answer->is_secure;
  route->is_report = is_report;
  route->generation = plan->generation;
  route->idle_time = plan->idle_time;
  co_return route;
}

std::uint64_t Ways::generation(const route::Destination& destination) const {
  const auto plan = services_.plans.plan();
  if (destination.name.starts_with("mx/")) return plan->generation;
  std::uint64_t mixed = 0;
  for (const auto member : plan->routes->members(destination)) {
    const auto& smarthost = plan->smarthosts[member];
    mixed = mixed * 31 + std::hash<std::string>{}(smarthost.name) + smarthost.generation;
  }
  return mixed;
}

Awaitable<delivery::ProviderSource::Answer> Ways::provider(route::Destination destination) {
  Answer answer{"", kNoProviderValid};
  auto found = co_await find(std::move(destination));
  if (found) answer = {(*found)->provider, kProviderValid};
  co_return answer;
}

// ---- one host ----

Awaitable<Resolved> Ways::resolve(std::shared_ptr<const Route> route, std::size_t host) {
  if (route->hosts[host].is_mx) {
    auto resolved = co_await resolve_mx(std::move(route), host);
    co_return resolved;
  }
  auto resolved = co_await resolve_smarthost(std::move(route), host);
  co_return resolved;
}

Awaitable<Resolved> Ways::resolve_smarthost(std::shared_ptr<const Route> route, std::size_t host) {
  const auto& chosen = route->hosts[host];
  delivery::Target target;
  target.policy = chosen.next_hop.policy;
  target.demand.server_name = chosen.server_name.empty() ? chosen.next_hop.endpoint.host : chosen.server_name;
  target.demand.verify = net::Verify::certificate;
  const auto plan = services_.plans.plan();
  const auto* smarthost = smarthost_of(*plan, chosen);
  if (smarthost == nullptr || smarthost->generation != chosen.generation)
    co_return waits({Errc::cancelled, Fate::transient, "the settings changed a moment ago"});
  if (smarthost->token != nullptr) {
    const auto source = smarthost->token;
    auto token = co_await source->token();
    if (!token) co_return waits(std::move(token.error()));
    if (target.policy.credentials) target.policy.credentials->password = std::move(*token);
  }
  auto addresses = co_await services_.resolver.lookup(chosen.next_hop.endpoint.host, chosen.connect_timeout);
  if (!addresses) co_return waits(std::move(addresses.error()));
  target.addresses = std::move(*addresses);
  auto source = choose_source(*plan, "", "", target);
  if (!source) co_return waits(std::move(source.error()));
  co_return target;
}

Awaitable<Resolved> Ways::resolve_mx(std::shared_ptr<const Route> route, std::size_t host) {
  const auto plan = services_.plans.plan();
  const auto& chosen = route->hosts[host];
  const auto name = chosen.next_hop.endpoint.host;
  auto addresses = co_await services_.resolver.addresses(name, chosen.connect_timeout);
  if (!addresses) co_return waits(std::move(addresses.error()));
  if (addresses->records.empty()) co_return refused(route::MxRefusal::no_address, name);
  delivery::Target target;
  for (const auto& address : addresses->records) {
    if (!route::is_forbidden_target(address, plan->mx.own, plan->mx.allowed))
      target.addresses.push_back(address);
  }
  if (target.addresses.empty()) co_return refused(route::MxRefusal::forbidden_target, name);
  auto facts = co_await facts_of(plan, route, name, std::move(*addresses));
  if (!facts) co_return waits(std::move(facts.error()));
  if (services_.observer != nullptr && facts->policy)
    services_.observer->policy_found(route->domain, *facts->policy);
  auto terms = tls_terms(*facts);
  target.policy = chosen.next_hop.policy;
  if (!terms) {
    services_.sts.refused(route->domain);
    target.tls_policy = "sts";
    const net::TlsFault fault{net::TlsFailure::sts_policy_invalid, terms.error().context, {}, {}};
    if (services_.observer != nullptr) services_.observer->tried(route->domain, name, target, fault);
    co_return waits(std::move(terms.error()));
  }
  const bool is_named_by_sts = terms->policy == "sts" && terms->mode == smtp::TlsMode::required;
  target.policy.is_proven = route->is_secure || is_named_by_sts;
  target.policy.tls = terms->mode;
  target.demand = std::move(terms->demand);
  target.tls_policy = std::move(terms->policy);
  auto source = choose_source(*plan, route->domain, route->provider, target);
  if (!source) co_return waits(std::move(source.error()));
  co_return target;
}

Awaitable<Result<HostFacts>> Ways::facts_of(
  std::shared_ptr<const Plan> plan, std::shared_ptr<const Route> route, std::string host,
  net::AddressAnswer addresses
) {
  HostFacts facts;
  facts.domain = route->domain;
  facts.host = std::move(host);
  const auto* rule = rule_for(*plan, route->domain, route->provider);
  facts.tls = rule != nullptr ? rule->tls.value_or(plan->mx.tls) : plan->mx.tls;
  if (route->is_report && facts.tls != MxTls::none) facts.tls = MxTls::opportunistic;
  const bool asks_domain = facts.tls == MxTls::policy || facts.tls == MxTls::required;
  if (asks_domain && route->is_secure) {
    auto found = co_await find_tlsa(std::move(addresses), facts);
    if (!found) co_return tl::unexpected(std::move(found.error()));
  }
  const bool has_dane = facts.tlsa && net::count_usable(*facts.tlsa) > 0;
  if (asks_domain && !has_dane) facts.policy = co_await services_.sts.policy_for(facts.domain);
  co_return facts;
}

/// RFC 7672 sections 2.2.2 and 2.2.3: under the name that a secure alias leads to, then under the host's own.
/// Errors: a lookup that failed or is bogus. That must not lower what the domain may demand: the mail waits.
Awaitable<Result<void>> Ways::find_tlsa(net::AddressAnswer addresses, HostFacts& facts) {
  const auto timeout = services_.plans.plan()->mx.connect_timeout;
  std::vector<std::string> bases;
  bool is_secure = addresses.is_secure;
  if (is_secure && !addresses.canonical.empty()) bases.push_back(addresses.canonical);
  if (!is_secure && !addresses.canonical.empty()) {
    auto alias = co_await services_.resolver.alias(facts.host, timeout);
    if (!alias) co_return tl::unexpected(std::move(alias.error()));
    is_secure = alias->is_secure;
  }
  if (!is_secure) co_return Result<void>{};
  bases.push_back(facts.host);
  for (const auto& base : bases) {
    const auto name = "_25._tcp." + base;
    auto answer = co_await services_.resolver.tlsa(name, timeout);
    if (!answer) co_return tl::unexpected(std::move(answer.error()));
    if (answer->status != net::DnsStatus::found || !answer->is_secure) continue;
    facts.tlsa = std::move(answer->records);
    facts.tlsa_base = base;
    break;
  }
  co_return Result<void>{};
}

// ---- sources ----

Result<void> Ways::choose_source(
  const Plan& plan, const std::string& domain, const std::string& provider, delivery::Target& target
) {
  const auto* rule = domain.empty() ? nullptr : rule_for(plan, domain, provider);
  const auto pool = rule != nullptr ? rule->source_pool : std::string();
  if (!has_sources(plan.sources, pool)) return {};  // the system chooses
  const auto day = today();
  const auto fraction = chance();
  const std::scoped_lock lock(mutex_);
  // Only those of a family that the host has.
  std::vector<Source> fitting;
  std::copy_if(plan.sources.begin(), plan.sources.end(), std::back_inserter(fitting), [&](const Source& one) {
    return std::any_of(target.addresses.begin(), target.addresses.end(), [&](const IpAddress& address) {
      return address.is_v4() == one.address.is_v4();
    });
  });
  if (fitting.empty()) return transient(Errc::unavailable, "no source has an address of the host's family");
  const auto* source = ledger_.choose(fitting, pool, day, fraction);
  if (source == nullptr)
    return transient(Errc::unavailable, "every source has sent what its warm-up allows today");
  std::erase_if(target.addresses, [&](const IpAddress& address) {
    return address.is_v4() != source->address.is_v4();
  });
  target.source = source->address;
  target.source_name = source->name;
  if (!source->helo_name.empty()) target.policy.helo_name = source->helo_name;
  return {};
}

bool Ways::may_send(const delivery::Target& target) {
  if (target.source_name.empty()) return true;
  const auto plan = services_.plans.plan();
  const auto source = std::find_if(plan->sources.begin(), plan->sources.end(), [&](const Source& one) {
    return one.name == target.source_name;
  });
  if (source == plan->sources.end()) return false;  // it was taken out of the settings
  const std::scoped_lock lock(mutex_);
  return ledger_.take(*source, today());
}

std::string Ways::ledger() const {
  const std::scoped_lock lock(mutex_);
  return ledger_.to_json();
}

// ---- what connections tell ----

void Ways::credentials_refused(const Route& route, std::size_t host, const delivery::Target& target) {
  const auto& refusing = route.hosts[host];
  if (refusing.is_mx) return;
  refused_credentials_.refused(refusing.name, refusing.generation, services_.clock.steady());
  const auto plan = services_.plans.plan();
  const auto* smarthost = smarthost_of(*plan, refusing);
  if (smarthost == nullptr || smarthost->token == nullptr || !target.policy.credentials) return;
  smarthost->token->invalidate(target.policy.credentials->password);
}

void Ways::credentials_accepted(const Route& route, std::size_t host) {
  const auto& accepting = route.hosts[host];
  if (!accepting.is_mx) refused_credentials_.accepted(accepting.name, accepting.generation);
}

std::vector<std::string> Ways::refusing_smarthosts(const std::vector<route::Destination>& waited_for) {
  const auto plan = services_.plans.plan();
  std::map<std::string, RefusedCredentials::Use> uses;
  for (const auto& smarthost : plan->smarthosts) uses[smarthost.name].generation = smarthost.generation;
  for (const auto& destination : waited_for) {
    for (const auto member : plan->routes->members(destination))
      uses[plan->smarthosts[member].name].is_waited_for = true;
  }
  return refused_credentials_.now(uses, services_.clock.steady());
}

void Ways::tls_tried(
  const Route& route, std::size_t host, const delivery::Target& target,
  const std::optional<net::TlsFault>& fault
) {
  if (services_.observer == nullptr || !route.hosts[host].is_mx || route.is_report) return;
  services_.observer->tried(route.domain, route.hosts[host].next_hop.endpoint.host, target, fault);
}

}  // namespace relay::outbound
