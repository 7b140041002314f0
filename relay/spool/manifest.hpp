#pragma once
/// RocksDB's list of tables, MANIFEST, as it is looked at before RocksDB reads it (decision 0106).

#include <string>

namespace relay::spool {

/// Notes what the list of tables (RocksDB's MANIFEST) is by now, synced. Nothing when it can't.
void note_manifest(const std::string& path);
/// Whether the list is no longer what it was, is damaged in its middle, or not where RocksDB's CURRENT says. RocksDB takes a
/// list that is cut short, also by a length that is wrong, for a whole one, and removes the tables that it does not name;
/// without a list it makes a new spool, or none.
[[nodiscard]] bool is_manifest_damaged(const std::string& path);

}  // namespace relay::spool
