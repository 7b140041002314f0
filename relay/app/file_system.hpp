#pragma once
/// What kind of file system holds the spool, where a sync to it is worth less than on a local disk.

#include <cstdint>
#include <optional>
#include <string>

#include "relay/base/log.hpp"

namespace relay::app {

/// A warning of a file system that loses what was synced to it (tmpfs, overlay), or whose syncs and locks are the word of
/// somebody else (nfs, ...); nothing of any other.
/// @param type  as statfs(2) has it in f_type
[[nodiscard]] std::optional<log::Record> warn_of_file_system(const std::string& path, std::uint32_t type);
/// The same of a folder that is there. Blocks for the disk.
[[nodiscard]] std::optional<log::Record> warn_of_file_system(const std::string& path);

}  // namespace relay::app
