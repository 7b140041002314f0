#include "relay/config/load.hpp"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "relay/base/text.hpp"
#include "relay/config/guard.hpp"
#include "relay/config/object_tables.hpp"
#include "relay/mail/utf8.hpp"

namespace relay::config {
namespace {

using nlohmann::ordered_json;

constexpr std::string_view kEnvironmentPrefix = "SMTP_RELAY_";

void apply(const Setting& row, std::string_view text, std::string where, Loaded& loaded) {
  const auto set = row.set(loaded.settings, text);
  if (set) return;
  loaded.faults.push_back(
    {std::move(where), "'" + printable(text, 200) + "' is not accepted (" + set.error().context +
                         "); accepted: " + std::string(row.accepted)}
  );
}

void apply_file(const Sources& sources, Loaded& loaded) {
  if (!sources.json) return;
  const auto document = ordered_json::parse(*sources.json, nullptr, false);
  if (!document.is_object()) {
    loaded.faults.push_back({sources.json_name, "not a JSON object"});
    return;
  }
  for (const auto& [key, value] : document.items()) {
    const auto where = sources.json_name + ": " + printable(key, 100);
    const auto* row = find_setting(key);
    if (row == nullptr) {
      loaded.faults.push_back({where, "unknown key"});
      continue;
    }
    if (const auto text = as_text(value, row->shape)) apply(*row, *text, where, loaded);
    else
      loaded.faults.push_back(
        {where, "not a value of the right shape; accepted: " + std::string(row->accepted)}
      );
  }
}

void apply_environment(const Sources& sources, Loaded& loaded) {
  for (const auto& [name, value] : sources.environment) {
    if (!name.starts_with(kEnvironmentPrefix)) continue;
    const auto where = "environment: " + printable(name, 100);
    // As a JSON file cannot hold it, so that print() can write whatever was loaded.
    if (!mail::is_utf8(value)) {
      loaded.faults.push_back({where, "'" + printable(value, 200) + "' is not accepted (not UTF-8)"});
      continue;
    }
    const auto* row = find_setting(lower(std::string_view(name).substr(kEnvironmentPrefix.size())));
    if (row != nullptr && row->environment_name() == name) apply(*row, value, where, loaded);
    else loaded.faults.push_back({where, "unknown setting"});
  }
}

bool overlap(const Endpoint& one, const Endpoint& other) {
  const auto is_any = [](const Endpoint& at) { return at.host == "0.0.0.0" || at.host == "::"; };
  return one.port == other.port && one.port != 0 && (one.host == other.host || is_any(one) || is_any(other));
}

/// Shards share ports with each other, and so would two listeners: a client would get the rules of either.
template <class Require>
void check_addresses(const Settings& s, const Require& require) {
  std::vector<std::pair<std::string, Endpoint>> taken;
  for (const auto* list : {&s.listen, &s.http_listen, &s.metrics_listen, &s.admin_listen}) {
    for (const auto& at : *list) taken.emplace_back("another setting", at);
  }
  for (const auto& listener : s.listeners) {
    for (const auto& at : listener.listen) {
      for (const auto& [owner, other] : taken) {
        require(
          !overlap(at, other), "listeners",
          "'" + listener.name + "' can't have " + at.to_text() + ": " + owner + " has " + other.to_text()
        );
      }
    }
    for (const auto& at : listener.listen) taken.emplace_back("'" + listener.name + "'", at);
  }
}

/// A listener that nobody could use is a mistake.
template <class Require>
void check_listeners(const Settings& s, const Require& require) {
  require(
    s.listeners.size() <= kMaxListeners, "listeners",
    "more than " + std::to_string(kMaxListeners) + " listeners"
  );
  const bool has_certificate = !s.tls_certificate_file.empty();
  for (const auto& listener : s.listeners) {
    const bool needs_tls = listener.tls == ListenerTls::required || listener.tls == ListenerTls::implicit;
    require(
      !needs_tls || has_certificate, "listeners",
      "the tls of '" + listener.name + "' needs a certificate: set tls_certificate_file and tls_key_file"
    );
    if (listener.auth != ListenerAuth::required) continue;
    require(
      !s.auth_users_file.empty(), "listeners",
      "'" + listener.name + "' needs users who can log in: set auth_users_file"
    );
    const bool can_log_in =
      s.auth_requires_tls == Switch::off || (has_certificate && listener.tls != ListenerTls::none);
    require(
      can_log_in, "listeners",
      "nobody could log in at '" + listener.name +
        "': give it a tls other than `none` and a certificate, or set auth_requires_tls to `off`"
    );
  }
  check_addresses(s, require);
}

/// Names are for one each, and what a rule names must be there.
template <class Require>
void check_names(const Settings& s, const Require& require) {
  const auto check_unique = [&](const auto& list, const char* key) {
    std::set<std::string> names;
    for (const auto& each : list)
      require(names.insert(each.name).second, key, "the name '" + each.name + "' is there twice");
    return names;
  };
  check_unique(s.listeners, "listeners");
  check_unique(s.smarthosts, "smarthosts");
  check_unique(s.sources, "sources");
  check_unique(s.policies, "policies");
  check_unique(s.sender_bindings, "sender_bindings");
  check_unique(s.milters, "milters");
  const auto providers = check_unique(s.providers, "providers");
  std::set<std::string> smarthosts;
  for (const auto& smarthost : all_smarthosts(s)) smarthosts.insert(smarthost.name);
  for (const auto& rule : s.policies) {
    const bool is_there = rule.smarthost.empty() || smarthosts.contains(rule.smarthost);
    require(is_there, "policies", "there is no smarthost '" + rule.smarthost + "' for '" + rule.name + "'");
  }
  std::set<std::string> pools;
  for (const auto& source : s.sources) pools.insert(source.pool);
  for (const auto& rule : s.destinations) {
    for (const auto& name : rule.providers)
      require(providers.contains(name), "destinations", "there is no provider '" + name + "' in `providers`");
    const bool has_pool = rule.source_pool.empty() || pools.contains(rule.source_pool);
    require(
      has_pool, "destinations", "there is no source with the pool '" + rule.source_pool + "' in `sources`"
    );
  }
}

void check_together(Loaded& loaded) {
  const auto& s = loaded.settings;
  const auto require = [&](bool holds, std::string where, std::string what) {
    if (!holds) loaded.faults.push_back({std::move(where), std::move(what)});
  };
  require(
    s.retry_initial_delay <= s.retry_max_delay && s.retry_max_delay <= s.retry_max_age,
    "retry_initial_delay, retry_max_delay, retry_max_age",
    "need to be in this order: " + to_text(s.retry_initial_delay) + " <= " + to_text(s.retry_max_delay) +
      " <= " + to_text(s.retry_max_age)
  );
  require(s.smarthost.empty() || s.smarthost.front().port != 0, "smarthost", "needs a port from 1 to 65535");
  // `:587` is read as every address of this machine, where a listener's would be.
  const bool is_ourselves =
    !s.smarthost.empty() && (s.smarthost.front().host == "0.0.0.0" || s.smarthost.front().host == "::");
  require(!is_ourselves, "smarthost", "needs a host: host:port");
  require(
    s.smarthost.empty() || s.smarthosts.empty(), "smarthost, smarthosts",
    "only one of them: name all in `smarthosts`"
  );
  require(
    s.tls_certificate_file.empty() == s.tls_key_file.empty(), "tls_certificate_file, tls_key_file",
    "a certificate needs its key, and a key its certificate: set both or neither"
  );
  require(
    s.tls_mode != ClientTls::required || !s.tls_certificate_file.empty(), "tls_mode",
    "`required` needs a certificate: set tls_certificate_file and tls_key_file"
  );
  require(
    s.policies.size() <= kMaxPolicies, "policies", "more than " + std::to_string(kMaxPolicies) + " rules"
  );
  require(
    s.sender_bindings.size() <= kMaxSenderBindings, "sender_bindings",
    "more than " + std::to_string(kMaxSenderBindings) + " entries"
  );
  require(
    s.mode != policy::Mode::redirect || !s.mode_redirect_to.empty(), "mode",
    "`redirect` needs an address to send all mail to: set mode_redirect_to"
  );
  require(
    s.mode != policy::Mode::allowlist || !s.mode_allowed.empty(), "mode",
    "`allowlist` needs recipients to send mail to: set mode_allowed; for none at all there is `capture`"
  );
  require(
    s.mode_allowed.size() <= kMaxAllowed, "mode_allowed",
    "more than " + std::to_string(kMaxAllowed) + " patterns"
  );
  require(
    s.milters.size() <= kMaxMilters, "milters", "more than " + std::to_string(kMaxMilters) + " filters"
  );
  const bool has_tls = wants_client_tls(s) && !s.tls_certificate_file.empty();
  require(
    s.auth_users_file.empty() || s.auth_requires_tls == Switch::off || has_tls, "auth_users_file",
    "AUTH needs TLS: set tls_certificate_file and tls_key_file and a tls_mode other than `none`, or "
    "auth_requires_tls to `off`"
  );
  check_names(s, require);
  check_listeners(s, require);
}

}  // namespace

Loaded load(const Sources& sources) {
  Loaded loaded;
  for (const auto& row : settings_table())
    apply(row, row.default_value, "default of " + std::string(row.key), loaded);
  apply_file(sources, loaded);
  apply_environment(sources, loaded);
  check_together(loaded);
  return loaded;
}

std::string print(const Settings& settings) {
  ordered_json document;
  for (const auto& row : settings_table()) {
    const auto text = row.get(settings);
    auto& value = document[std::string(row.key)];
    value = as_json(text, row.shape);
  }
  return document.dump(2) + "\n";
}

std::vector<std::string> changed_keys(const Settings& before, const Settings& after, Reload reload) {
  std::vector<std::string> keys;
  for (const auto& row : settings_table()) {
    if (row.reload == reload && row.get(before) != row.get(after)) keys.emplace_back(row.key);
  }
  return keys;
}

Settings with_live_settings(const Settings& before, const Settings& after) {
  Settings merged = before;
  for (const auto& row : settings_table()) {
    if (row.reload != Reload::live) continue;
    // What `get` writes, `set` reads: it cannot fail here.
    (void)row.set(merged, row.get(after));
  }
  return merged;
}

bool wants_client_tls(const Settings& settings) {
  const auto& listeners = settings.listeners;
  return settings.tls_mode != ClientTls::none ||
         std::any_of(listeners.begin(), listeners.end(), [](const auto& listener) {
           return listener.tls != ListenerTls::none;
         });
}

bool listen_elsewhere(const std::vector<Listener>& one, const std::vector<Listener>& other) {
  const auto places = [](const std::vector<Listener>& listeners) {
    std::map<std::string, std::string> found;
    for (const auto& listener : listeners) {
      for (const auto& at : listener.listen) found[listener.name] += at.to_text() + ",";
    }
    return found;
  };
  return places(one) != places(other);
}

std::vector<Smarthost> all_smarthosts(const Settings& settings) {
  if (settings.smarthost.empty()) return settings.smarthosts;
  Smarthost single;
  for (const auto& field : fields_of<Smarthost>()) (void)field.set(single, field.doc.default_value);
  single.name = "default";
  single.host = settings.smarthost.front().host;
  single.port = settings.smarthost.front().port;
  single.tls = settings.smarthost_tls;
  single.ca = settings.smarthost_ca;
  single.max_connections = settings.delivery_connections;
  single.messages_per_connection = settings.messages_per_connection;
  single.connect_timeout = settings.connect_timeout;
  return {single};
}

}  // namespace relay::config
