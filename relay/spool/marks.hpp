#pragma once
/// Files in the spool's folder that tell the next start what this one met.

#include <string>

namespace relay::spool {

/// Stands in the folder while the tables are known to be damaged: opening alone would not notice.
[[nodiscard]] std::string repair_mark(const std::string& path);
/// Stands in the folder from the moment damage is overlooked until Store::recover_places() has run, across a crash between:
/// the next start would find nothing wrong.
[[nodiscard]] std::string walk_mark(const std::string& path);

[[nodiscard]] bool is_marked(const std::string& mark);
/// Synced, with its folder: what it speaks of outlives a power cut, too. Nothing when it cannot be: a disk that takes no
/// file says more by its own errors.
void leave_mark(const std::string& folder, const std::string& mark);
void remove_mark(const std::string& mark);
/// Whether what was written to it is on the disk.
[[nodiscard]] bool sync_file(const std::string& path);
/// Syncs the folder: what was removed from it does not come back.
void sync_folder(const std::string& folder);

}  // namespace relay::spool
