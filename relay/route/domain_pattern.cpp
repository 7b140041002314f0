#include "relay/route/domain_pattern.hpp"

#include <algorithm>

#include "relay/base/text.hpp"

namespace relay::route {
namespace {

Match match_one(std::string_view pattern, std::string_view domain) {
  if (pattern == "*") return Match::everything;
  if (!pattern.starts_with("*.")) return equals_ignoring_case(pattern, domain) ? Match::exact : Match::none;
  const auto ending = pattern.substr(1);
  const bool is_below = domain.size() > ending.size() &&
                        equals_ignoring_case(domain.substr(domain.size() - ending.size()), ending);
  return is_below ? Match::below : Match::none;
}

}  // namespace

Match match_domain(const std::vector<std::string>& patterns, std::string_view domain) {
  if (patterns.empty()) return Match::everything;
  auto best = Match::none;
  for (const auto& pattern : patterns) best = std::max(best, match_one(pattern, domain));
  return best;
}

bool matches_sender(
  const std::vector<std::string>& patterns, std::string_view address, std::string_view domain
) {
  return std::any_of(patterns.begin(), patterns.end(), [&](const std::string& pattern) {
    if (pattern.find('@') != std::string::npos) return equals_ignoring_case(pattern, address);
    return match_one(pattern, domain) != Match::none;
  });
}

}  // namespace relay::route
