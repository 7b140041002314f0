#pragma once
/// What of /etc/resolv.conf libunbound does not do itself: the search list.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace relay::net {

struct SearchList {
  std::vector<std::string> domains;
  std::uint64_t ndots = 1;
};

/// Reads `search`, `domain` and `options ndots:N` (resolv.conf(5)); the last `search` or `domain` counts, N
/// is at most 15.
[[nodiscard]] SearchList parse_search_list(std::string_view resolv_conf);

/// The names to ask for in turn, each absolute, with its final dot. A name that ends in a dot is asked for as
/// it is; one with at least `ndots` dots first as it is, then with each domain behind it; others the other
/// way round.
[[nodiscard]] std::vector<std::string> candidates(std::string_view name, const SearchList& list);

}  // namespace relay::net
