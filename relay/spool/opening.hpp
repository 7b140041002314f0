#pragma once
/// Gets at the database of a spool: waits for who holds it, and repairs it where it is damaged.

#include "relay/spool/database.hpp"
#include "relay/spool/store.hpp"

namespace relay::spool {

/// Made where there is none, for its owner alone. Errors: storage_failed (terminal).
[[nodiscard]] Result<void> make_folder(const std::string& path);

/// Opens the database once no other process holds it and its disk has space. One that is damaged is copied aside and repaired, and its folder keeps
/// walk_mark() until its places have been recovered. Blocks. Errors: cancelled when `keep_waiting` gave up; as
/// open_database() else.
[[nodiscard]] Result<OpenDatabase> open_when_free(const OpenOptions& options);

}  // namespace relay::spool
