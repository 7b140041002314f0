#pragma once
/// Files that somebody else writes and the relay reads again and again.

#include <string>

#include "relay/base/result.hpp"

namespace relay::app {

/// The whole text; nothing for an empty path and for a file that does not exist. Blocks for the disk.
/// Errors: unavailable (transient): it is there and could not be read, which must not count as empty.
[[nodiscard]] Result<std::string> read_text(const std::string& path);

}  // namespace relay::app
