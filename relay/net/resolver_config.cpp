#include "relay/net/resolver_config.hpp"

#include <algorithm>

#include "relay/base/text.hpp"

namespace relay::net {
namespace {

constexpr std::uint64_t kMaxNdots = 15;

std::string absolute(std::string name) { return name.ends_with('.') ? name : name + "."; }

void apply_line(std::vector<std::string_view> words, SearchList& list) {
  if (words.size() < 2) return;
  const auto keyword = words.front();
  words.erase(words.begin());
  if (keyword == "search" || keyword == "domain") list.domains.assign(words.begin(), words.end());
  if (keyword != "options") return;
  for (const auto word : words) {
    if (!word.starts_with("ndots:")) continue;
    if (const auto ndots = parse_number(word.substr(6))) list.ndots = std::min(*ndots, kMaxNdots);
  }
}

}  // namespace

SearchList parse_search_list(std::string_view resolv_conf) {
  SearchList list;
  for (const auto line : split(resolv_conf, '\n')) {
    std::string spaced(line);
    std::replace(spaced.begin(), spaced.end(), '\t', ' ');
    apply_line(split(spaced, ' '), list);
  }
  return list;
}

std::vector<std::string> candidates(std::string_view name, const SearchList& list) {
  if (name.ends_with('.')) return {std::string(name)};
  std::vector<std::string> names;
  for (const auto& domain : list.domains) names.push_back(absolute(std::string(name) + "." + domain));
  const bool is_first = static_cast<std::uint64_t>(std::count(name.begin(), name.end(), '.')) >= list.ndots;
  names.insert(is_first ? names.begin() : names.end(), absolute(std::string(name)));
  return names;
}

}  // namespace relay::net
