#pragma once
/// Files of the spool's folder, read and written without RocksDB. Errors of all: storage_failed (terminal).

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "relay/base/result.hpp"

namespace relay::spool {

/// @param what  was tried, such as `read`
[[nodiscard]] Error failed_at(const std::string& what, const std::string& path);

/// Those of RocksDB with this extension, by their numbers, which have six digits or more.
[[nodiscard]] Result<std::vector<std::filesystem::path>> files_with(
  const std::string& path, std::string_view extension
);

/// All of them: what a disk does not give just now must not be taken for what there is. Of a file that grows meanwhile it is an
/// error, too.
[[nodiscard]] Result<std::string> octets_of(const std::filesystem::path& path);

/// As a whole or not at all, also behind a power cut.
[[nodiscard]] Result<void> replace_file(const std::filesystem::path& path, const std::string& octets);

}  // namespace relay::spool
