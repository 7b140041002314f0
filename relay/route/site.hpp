#pragma once
/// Who runs the mail hosts of a domain. Thousands of domains are hosted by a few providers, who count what one
/// client sends them, whichever domain it is for: limits and health belong to the provider.

#include <string>
#include <string_view>
#include <vector>

namespace relay::route {

/// A provider by the names of its mail hosts. A pattern is a host name, or `*.` and a domain, which stands for
/// every name below it, at any depth; case is ignored.
struct SiteRule {
  std::string provider;
  std::vector<std::string> mx_patterns;
};

[[nodiscard]] bool matches_mx_pattern(std::string_view pattern, std::string_view host);

/// The last two labels of a host name, or three when the last two look like a registry's (`co.uk`, `com.au`: a
/// country behind a generic word). A guess that needs no list: where it is wrong, a rule mends it. Lower case,
/// no final dot.
[[nodiscard]] std::string registrable_domain(std::string_view host);

/// The provider of the first rule that matches all hosts; without one, the registrable domain of the hosts,
/// and of hosts under several, each once, in alphabetical order, joined by `+` (at most four).
///
/// The order of `mx_hosts` makes no difference: equal preferences are shuffled, and the site must not change by
/// that. Empty for no hosts. A domain without MX is its own host.
[[nodiscard]] std::string site_of(
  const std::vector<std::string>& mx_hosts, const std::vector<SiteRule>& rules
);

}  // namespace relay::route
