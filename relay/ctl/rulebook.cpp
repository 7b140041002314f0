#include "relay/ctl/rulebook.hpp"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <utility>

#include "relay/config/guard.hpp"
#include "relay/config/hidden_sources.hpp"
#include "relay/config/load.hpp"
#include "relay/config/policy_rules.hpp"
#include "relay/config/sender_bindings.hpp"

namespace relay::ctl {
namespace {

const config::Listener* listener_of(const Rulebook& book, std::string_view name) {
  const auto at = std::find_if(book.listeners.begin(), book.listeners.end(), [&](const auto& one) {
    return one.name == name;
  });
  return at == book.listeners.end() ? nullptr : &*at;
}

Result<config::Settings> read_settings(
  const std::string& file_name, const std::map<std::string, std::string>& environment
) {
  std::ifstream file(file_name);
  if (!file) return permanent(Errc::not_found, "cannot read the settings in " + file_name);
  std::string text(std::istreambuf_iterator<char>(file), {});
  auto loaded = config::load({std::move(text), file_name, environment});
  if (loaded.faults.empty()) return std::move(loaded.settings);
  std::string faults;
  for (const auto& fault : loaded.faults) faults += (faults.empty() ? "" : "; ") + fault.to_text();
  return permanent(Errc::invalid_argument, faults);
}

/// As the relay reads it, as far as it is seen from here: a file that is missing adds none.
Networks listed_sources(const config::Settings& settings) {
  std::ifstream file(settings.hidden_sources_file);
  const std::string text(std::istreambuf_iterator<char>(file), {});
  return config::parse_hidden_sources(text).networks;
}

Rulebook rulebook_of(const config::Settings& settings) {
  policy::RelayAccess access{settings.allowed_networks, {}};
  Networks hidden;
  const auto listed = listed_sources(settings);
  for (const auto* networks :
       {&settings.hidden_sources, &settings.proxy_trusted, &settings.host_addresses, &listed})
    hidden.insert(hidden.end(), networks->begin(), networks->end());
  access.hidden = hidden;
  std::vector<route::SmarthostRule> smarthosts;
  for (const auto& each : config::all_smarthosts(settings)) {
    smarthosts.push_back({each.name, each.priority, each.weight, each.recipient_domains, each.sender_domains}
    );
  }
  return {
    std::move(access),
    config::policy_rules(settings),
    config::sender_bindings(settings),
    route::RouteTable(smarthosts),
    !settings.auth_users_file.empty(),
    config::guard_of(settings),
    settings.listeners
  };
}

}  // namespace

Result<Rulebook> read_rulebook(
  const std::string& settings_file, const std::map<std::string, std::string>& environment
) {
  const auto settings = read_settings(settings_file, environment);
  if (!settings) return tl::unexpected(settings.error());
  return rulebook_of(*settings);
}

bool knows_listener(const Rulebook& book, std::string_view name) {
  return name == mail::kMainListener || listener_of(book, name) != nullptr;
}

policy::Sending who_sends(const Rulebook& book, const policy::Facts& facts) {
  return {facts.client, policy::hides_clients(book.access, facts.client), std::string(*facts.user)};
}

Result<mail::Address> parse_sender(const std::string& text) {
  if (text.empty() || text == "<>") return mail::Address();
  return mail::Address::parse(text, mail::Charset::utf8);
}

std::string refusal_of_client(const Rulebook& book, const policy::Facts& facts) {
  const bool has_logged_in = book.has_users && !facts.user->empty();
  if (has_logged_in) return {};
  const auto* own = listener_of(book, facts.listener);
  const bool has_networks = own != nullptr && !own->allowed_networks.empty();
  auto refusal = has_networks
                   ? policy::refuse_client({own->allowed_networks, book.access.hidden}, facts.client)
                   : policy::refuse_client(book.access, facts.client);
  if (!refusal && own != nullptr && own->auth == config::ListenerAuth::required)
    refusal = mail::Reply{530, mail::EnhancedStatus{5, 7, 0}, "Authentication required"};
  if (!refusal) return {};
  return std::string(kWhateverRulesSay) + (book.has_users ? ", unless it logs in: " : ": ") +
         refusal->to_line();
}

std::string refusal_of_sender(const Rulebook& book, const policy::Facts& facts) {
  const auto refusal = policy::refuse_sender(book.bindings, who_sends(book, facts), *facts.sender);
  return refusal ? std::string(kWhateverRulesSay) + ": " + refusal->to_line() : std::string();
}

std::string refusal_of_recipient(const Rulebook& book, const mail::Address& recipient) {
  if (const auto refusal = policy::refuse_recipient(recipient))
    return std::string(kWhateverRulesSay) + ": " + refusal->to_line();
  if (const auto refusal = policy::refuse_recipient(book.guard, recipient))
    return "refused by the mode: " + refusal->to_line();
  return {};
}

}  // namespace relay::ctl
