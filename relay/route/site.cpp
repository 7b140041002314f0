#include "relay/route/site.hpp"

#include <algorithm>
#include <array>
#include <set>

#include "relay/base/text.hpp"

namespace relay::route {
namespace {

constexpr std::size_t kMaxJoined = 4;
/// Second labels under which countries register.
constexpr std::array<std::string_view, 20> kRegistryWords{"ac",  "co", "com", "edu", "go",  "gob", "gov",
                                                          "gv",  "id", "ltd", "me",  "mil", "ne",  "net",
                                                          "nom", "or", "org", "plc", "sch", "web"};

std::string_view without_final_dot(std::string_view name) {
  if (name.ends_with('.')) name.remove_suffix(1);
  return name;
}

bool matches(const SiteRule& rule, const std::string& host) {
  return std::any_of(rule.mx_patterns.begin(), rule.mx_patterns.end(), [&](const auto& pattern) {
    return matches_mx_pattern(pattern, host);
  });
}

}  // namespace

bool matches_mx_pattern(std::string_view pattern, std::string_view host) {
  pattern = without_final_dot(pattern);
  host = without_final_dot(host);
  if (!pattern.starts_with("*.")) return equals_ignoring_case(pattern, host);
  const auto behind = pattern.substr(1);  // with its dot
  return host.size() > behind.size() &&
         equals_ignoring_case(host.substr(host.size() - behind.size()), behind);
}

std::string registrable_domain(std::string_view host) {
  const auto name = lower(without_final_dot(host));
  const auto labels = split(name, '.');
  if (labels.size() < 3) return name;
  const auto second = labels[labels.size() - 2];
  const bool is_registry =
    labels.back().size() == 2 &&
    std::find(kRegistryWords.begin(), kRegistryWords.end(), second) != kRegistryWords.end();
  std::string domain(labels.back());
  for (std::size_t i = 2; i <= (is_registry ? 3U : 2U); ++i)
    domain = std::string(labels[labels.size() - i]) + "." + domain;
  return domain;
}

std::string site_of(const std::vector<std::string>& mx_hosts, const std::vector<SiteRule>& rules) {
  if (mx_hosts.empty()) return {};
  for (const auto& rule : rules) {
    const auto is_theirs = [&](const auto& host) { return matches(rule, host); };
    if (std::all_of(mx_hosts.begin(), mx_hosts.end(), is_theirs)) return rule.provider;
  }
  std::set<std::string> domains;
  for (const auto& host : mx_hosts) domains.insert(registrable_domain(host));
  std::string site;
  std::size_t count = 0;
  for (const auto& domain : domains) {
    if (++count <= kMaxJoined) site += (site.empty() ? "" : "+") + domain;
  }
  return site;
}

}  // namespace relay::route
