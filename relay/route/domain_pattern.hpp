#pragma once
/// Sets of domains as settings name them.

#include <string>
#include <string_view>
#include <vector>

namespace relay::route {

/// How exactly a domain was meant; the larger, the more exact.
enum class Match : std::uint8_t {
  none,
  everything,  ///< `*`, or an empty list
  below,       ///< `*.example.org`
  exact,       ///< `example.org`
};

/// The best match of `domain` among patterns: `example.org`, `*.example.org` (any name below it, however deep) or
/// `*`. Case does not count; an empty list matches everything.
[[nodiscard]] Match match_domain(const std::vector<std::string>& patterns, std::string_view domain);

/// The same for a whole address: a pattern with an `@` (`news@example.org`) matches that address alone.
[[nodiscard]] bool matches_sender(
  const std::vector<std::string>& patterns, std::string_view address, std::string_view domain
);

}  // namespace relay::route
