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

/// Notes what the list of tables (RocksDB's MANIFEST) is by now, synced. Nothing when it can't.
void note_manifest(const std::string& path);
/// Whether the list is no longer what it was, is damaged in its middle, or not where RocksDB's CURRENT says. RocksDB takes a
/// list that is cut short, also by a length that is wrong, for a whole one, and removes the tables that it does not name;
/// without a list it makes a new spool, or none.
[[nodiscard]] bool is_manifest_damaged(const std::string& path);

}  // namespace relay::spool
