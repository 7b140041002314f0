#pragma once
/// Repairs of a damaged log, and what RocksDB's repair of tables leaves of a log.

#include <string>

#include "relay/spool/database.hpp"

namespace relay::spool {

/// Writes logs that are damaged anew, without what is. Errors: storage_failed (terminal).
[[nodiscard]] Result<void> mend_logs(const std::string& path);

/// The repair of RocksDB 7.8 drops what the log holds of families that have no table. So the log is kept from it: its files
/// go to a folder of their own, which stays across crashes until replay_logs() is done, and is filled once.
/// Errors: storage_failed (terminal).
[[nodiscard]] Result<void> hide_logs(const std::string& path);
/// Whether there is such a folder: a repair was not finished, and nobody else may open the database.
[[nodiscard]] bool has_hidden_logs(const std::string& path);
/// Applies what their records say to the repaired database, synced, and removes them. Again and again does no harm.
/// Errors: as to_error().
[[nodiscard]] Result<void> replay_logs(const std::string& path, const OpenDatabase& database);

}  // namespace relay::spool
