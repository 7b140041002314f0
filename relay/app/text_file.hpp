#pragma once
/// Small files: those that somebody else writes and the relay reads again and again, and what it keeps for itself.

#include <optional>
#include <string>
#include <string_view>

#include "relay/base/result.hpp"

namespace relay::app {

/// The whole text; nothing for an empty path and for a file that does not exist. Blocks for the disk.
/// Errors: unavailable (transient): it is there and could not be read, which must not count as empty.
[[nodiscard]] Result<std::string> read_text(const std::string& path);

/// The same, but nothing for a file that does not exist: one that is there may be empty on purpose.
[[nodiscard]] Result<std::optional<std::string>> read_if_there(const std::string& path);

/// Writes it beside and puts it in its place, on disk: a power cut leaves the old text or the new. Blocks for the disk.
/// Errors: storage_failed (transient).
[[nodiscard]] Result<void> write_text(const std::string& path, std::string_view text);

}  // namespace relay::app
