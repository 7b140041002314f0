#pragma once
/// The text of `hidden_sources_file`.

#include <string>
#include <string_view>
#include <vector>

#include "relay/base/network.hpp"

namespace relay::config {

struct ParsedSources {
  Networks networks;
  std::vector<std::string> complaints;  ///< `line 3: ...`; these lines were left out
};
/// Reads a network or an address a line; `#` begins a comment, empty lines count for nothing. Pure.
[[nodiscard]] ParsedSources parse_hidden_sources(std::string_view text);

}  // namespace relay::config
