#include "relay/app/plan_maker.hpp"

#include <algorithm>

#include "relay/base/text.hpp"

namespace relay::app {
namespace {

/// Where the TLS client of delivery by MX is kept: no smarthost can be called so.
constexpr const char* kMx = "mx/";

smtp::ClientTimeouts timeouts_of(const config::Settings& s) {
  return {s.banner_timeout, s.command_timeout, s.data_init_timeout, s.data_block_timeout, s.data_end_timeout};
}

std::optional<sasl::Name> mechanism_of(config::AuthMechanism mechanism) {
  switch (mechanism) {
    case config::AuthMechanism::plain: return sasl::Name::plain;
    case config::AuthMechanism::login: return sasl::Name::login;
    case config::AuthMechanism::scram_sha_256: return sasl::Name::scram_sha_256;
    case config::AuthMechanism::xoauth2: return sasl::Name::xoauth2;
    case config::AuthMechanism::passwd_client:
    case config::AuthMechanism::none:
    case config::AuthMechanism::any: break;
  }
  return std::nullopt;
}

outbound::MxTls to_outbound(config::MxTls tls) {
  switch (tls) {
    case config::MxTls::none: return outbound::MxTls::none;
    case config::MxTls::opportunistic: return outbound::MxTls::opportunistic;
    case config::MxTls::policy: return outbound::MxTls::policy;
    case config::MxTls::required: break;
  }
  return outbound::MxTls::required;
}

outbound::DomainRule to_outbound(const config::DestinationRule& from) {
  outbound::DomainRule rule;
  rule.domains = from.domains;
  rule.providers = from.providers;
  rule.max_connections = from.max_connections;
  rule.message_rate = from.message_rate;
  rule.connection_rate = from.connection_rate;
  rule.retry_initial = from.retry_initial_delay;
  rule.retry_max = from.retry_max_delay;
  rule.max_age = from.retry_max_age;
  rule.warn_after = from.retry_warn_after;
  if (from.tls) rule.tls = to_outbound(*from.tls);
  rule.source_pool = from.source_pool;
  return rule;
}

std::chrono::sys_days day_of(const std::string& date) {
  const auto parts = split(date, '-');
  if (parts.size() != 3) return {};
  const auto number = [](std::string_view text) {
    return static_cast<unsigned>(parse_number(text).value_or(1));
  };
  return std::chrono::year{static_cast<int>(number(parts[0]))} / std::chrono::month{number(parts[1])} /
         std::chrono::day{number(parts[2])};
}

outbound::Source to_outbound(const config::Source& from) {
  return {from.name,      from.pool,           *IpAddress::parse(from.address), from.weight,
          from.helo_name, from.messages_a_day, day_of(from.warm_up_from)};
}

route::SmarthostRule to_route(const config::Smarthost& from) {
  return {from.name, from.priority, from.weight, from.recipient_domains, from.sender_domains};
}

/// What makes connections to it another thing.
bool is_same(const outbound::Smarthost& a, const outbound::Smarthost& b) {
  const auto& x = a.host.next_hop;
  const auto& y = b.host.next_hop;
  return x.endpoint == y.endpoint && x.policy.tls == y.policy.tls &&
         x.policy.credentials == y.policy.credentials && x.policy.helo_name == y.policy.helo_name &&
         a.host.tls == b.host.tls && a.token == b.token && a.host.server_name == b.host.server_name;
}

const outbound::Smarthost* named(const outbound::Plan& plan, const std::string& name) {
  const auto found = std::find_if(plan.smarthosts.begin(), plan.smarthosts.end(), [&](const auto& one) {
    return one.name == name;
  });
  return found == plan.smarthosts.end() ? nullptr : &*found;
}

bool is_same_mx(const outbound::Plan& before, const outbound::Plan& after) {
  const auto& a = before.mx;
  const auto& b = after.mx;
  return before.rules == after.rules && before.sources == after.sources && a.own == b.own && a.tls == b.tls &&
         a.tls_client == b.tls_client && a.policy.helo_name == b.policy.helo_name && a.allowed == b.allowed;
}

}  // namespace

bool has_other_hops(const outbound::Plan& before, const outbound::Plan& after) {
  const auto generations = [](const outbound::Plan& plan) {
    std::map<std::string, std::uint64_t> all;
    for (const auto& smarthost : plan.smarthosts) all[smarthost.name] = smarthost.generation;
    return all;
  };
  return before.generation != after.generation || generations(before) != generations(after);
}

const PlanMaker::Secured* PlanMaker::made_from(const std::string& source) const {
  const auto found = std::find_if(secured_.begin(), secured_.end(), [&](const auto& known) {
    return known.second.is_made_from_it && known.second.source == source;
  });
  return found == secured_.end() ? nullptr : &found->second;
}

std::shared_ptr<net::TlsClient> PlanMaker::tls_for(
  const std::string& name, const net::TlsClientSettings& from, const Files& files
) {
  std::string source = from.min_version == net::TlsVersion::tls1_3 ? "1.3" : "1.2";
  for (const auto* path : {&from.ca_file, &from.certificate_file, &from.key_file})
    source += "\n" + *path + "\n" + text_of(files, *path);
  auto& known = secured_[name];
  if (known.tls && known.source == source) return known.tls;
  if (const auto* alike = made_from(source)) {
    known = *alike;
    return known.tls;
  }
  auto made = net::TlsClient::make(from);
  if (made) known = {source, std::move(*made), true};
  else if (known.source != source) {
    log_.write(log::error("smarthost_tls")
                 .with("smarthost", name)
                 .with("error", made.error().message())
                 .with(
                   "message", known.tls ? "the last good authorities and certificate stay in force"
                                        : "no certificate can be verified: mail waits"
                 ));
    known.source = source;
    known.is_made_from_it = false;
  }
  // Without usable authorities none is trusted, and verification fails: better than a relay that does not
  // start.
  if (!known.tls) known.tls = net::TlsClient::make_without_authorities();
  return known.tls;
}

std::shared_ptr<const oauth::TokenSource> PlanMaker::tokens_for(
  const config::Smarthost& from, const Files& files, const std::shared_ptr<net::TlsClient>& tls
) {
  if (from.auth != config::AuthMechanism::xoauth2) {
    tokens_.erase(from.name);
    return nullptr;
  }
  oauth::Account account{
    from.name,
    from.token_url,
    word_of(files, from.client_id_file),
    word_of(files, from.client_secret_file),
    from.token_scope,
    word_of(files, from.refresh_token_file)
  };
  auto& known = tokens_[from.name];
  if (!known.source || !(known.account == account) || known.tls != tls)
    known = {account, tls, make_token_(account, tls)};
  return known.source;
}

outbound::Smarthost PlanMaker::make_smarthost(
  const config::Settings& settings, const config::Smarthost& from, const Files& files,
  const route::PasswdClient& passwords
) {
  outbound::Smarthost made;
  made.name = made.host.name = from.name;
  const auto version =
    from.tls_min_version == config::TlsVersion::tls1_3 ? net::TlsVersion::tls1_3 : net::TlsVersion::tls1_2;
  made.host.tls =
    tls_for("smarthost/" + from.name, {from.ca, from.client_certificate, from.client_key, version}, files);
  auto& hop = made.host.next_hop;
  hop.endpoint = {from.host, static_cast<std::uint16_t>(from.port)};
  hop.policy.helo_name = settings.hostname;
  hop.policy.tls = from.tls;
  hop.policy.timeouts = timeouts_of(settings);
  if (from.auth == config::AuthMechanism::passwd_client) {
    hop.policy.credentials = passwords.find(from.host);
  } else if (from.auth != config::AuthMechanism::none) {
    hop.policy.credentials = sasl::Credentials{
      word_of(files, from.username_file), word_of(files, from.password_file), mechanism_of(from.auth)
    };
  }
  made.token = tokens_for(from, files, made.host.tls);
  made.host.server_name = from.server_name;
  made.host.connect_timeout = from.connect_timeout;
  made.host.messages_per_connection = from.messages_per_connection;
  made.max_connections = static_cast<std::size_t>(from.max_connections);
  made.message_rate = from.message_rate;
  const auto* before = last_ ? named(*last_, made.name) : nullptr;
  const bool is_known = before != nullptr && is_same(*before, made);
  made.generation = made.host.generation = is_known ? before->generation : ++last_generation_;
  return made;
}

outbound::MxSettings PlanMaker::make_mx(const config::Settings& settings, const Files& files) {
  outbound::MxSettings mx;
  mx.policy.helo_name = settings.hostname;
  mx.policy.tls = smtp::TlsMode::opportunistic;
  mx.policy.timeouts = timeouts_of(settings);
  mx.tls = to_outbound(settings.mx_tls);
  mx.max_connections = static_cast<std::size_t>(settings.mx_max_connections);
  mx.tls_client = tls_for(kMx, {settings.mx_ca, "", "", net::TlsVersion::tls1_2}, files);
  mx.connect_timeout = settings.connect_timeout;
  mx.messages_per_connection = settings.messages_per_connection;
  mx.allowed = settings.mx_allowed_networks;
  mx.own = settings.host_addresses;
  mx.own_names = {settings.hostname};
  return mx;
}

std::shared_ptr<const outbound::Plan> PlanMaker::make(const config::Settings& settings, const Files& files) {
  const auto passwords = route::PasswdClient::parse(text_of(files, settings.passwd_client));
  for (const auto& complaint : passwords.complaints()) {
    log_.write(log::warning("passwd_client").with("path", settings.passwd_client).with("error", complaint));
  }
  auto plan = std::make_shared<outbound::Plan>();
  std::vector<route::SmarthostRule> rules;
  for (const auto& from : config::all_smarthosts(settings)) {
    plan->smarthosts.push_back(make_smarthost(settings, from, files, passwords));
    rules.push_back(to_route(from));
  }
  plan->routes = std::make_shared<route::RouteTable>(rules);
  plan->mx = make_mx(settings, files);
  for (const auto& rule : settings.destinations) plan->rules.push_back(to_outbound(rule));
  for (const auto& provider : settings.providers) {
    plan->providers.push_back(
      {{provider.name, provider.mx},
       {static_cast<std::size_t>(provider.max_connections), provider.message_rate}}
    );
  }
  for (const auto& source : settings.sources) plan->sources.push_back(to_outbound(source));
  plan->retry = {
    settings.retry_initial_delay, settings.retry_max_delay, settings.retry_max_age, settings.retry_multiplier
  };
  plan->mx_retry_initial = settings.mx_retry_initial_delay;
  plan->warn_after = settings.retry_warn_after;
  plan->idle_time = settings.connection_idle_time;
  if (const auto from = mail::Address::parse(settings.tls_report_from)) plan->tls_report_from = *from;
  if (last_) plan->generation = last_->generation + (is_same_mx(*last_, *plan) ? 0 : 1);
  last_ = plan;
  return plan;
}

// ---- signatures ----

std::shared_ptr<const dkim::Key> PlanMaker::key_for(const config::DkimKey& from, const Files& files) {
  const auto& pem = text_of(files, from.key);
  auto& known = keys_[from.key];
  if (known.pem == pem && !pem.empty()) return known.key;
  auto parsed = dkim::Key::parse(pem);
  if (!parsed) {
    log_.write(
      log::error("dkim_key")
        .with("path", from.key)
        .with("domain", from.domain)
        .with("error", pem.empty() ? "there is no such file, or it is empty" : parsed.error().context)
        .with("message", known.key ? "the last good key stays in force" : "its signature is left out")
    );
    known.pem = pem;
    return known.key;
  }
  known = {pem, std::move(*parsed)};
  const bool is_short = known.key->algorithm() == dkim::Algorithm::rsa_sha256 && known.key->bits() < 2048;
  log_.write(
    log::Record(is_short ? log::warning("dkim_key") : log::info("dkim_key"))
      .with("domain", from.domain)
      .with("selector", from.selector)
      .with("record", known.key->dns_record())
      .with("message", is_short ? "a key below 2048 bits may count for nothing" : "publish this record")
  );
  return known.key;
}

std::shared_ptr<const dkim::Rules> PlanMaker::make_rules(
  const config::Settings& settings, const Files& files
) {
  auto rules = std::make_shared<dkim::Rules>();
  for (const auto& from : settings.dkim) {
    dkim::Rule rule;
    rule.domain = lower(from.domain);
    rule.selector = from.selector;
    rule.key = key_for(from, files);
    if (!rule.key) continue;
    rule.senders = from.senders;
    if (!from.headers.empty()) rule.headers = from.headers;
    const auto simple = dkim::Canonicalization::simple;
    if (from.canonicalization.starts_with("simple/")) rule.header = simple;
    if (from.canonicalization.ends_with("/simple")) rule.body = simple;
    if (from.expires) rule.expires = std::chrono::duration_cast<seconds>(*from.expires);
    if (auto good = dkim::check(rule); !good) {
      log_.write(log::error("dkim_rule").with("domain", from.domain).with("error", good.error().context));
      continue;
    }
    rules->push_back(std::move(rule));
  }
  if (rules->empty()) return nullptr;
  return rules;
}

}  // namespace relay::app
