#pragma once
/// What a database that was opened in spite of damage no longer says by itself. For Store::open() alone.

#include "relay/spool/database.hpp"
#include "relay/spool/store.hpp"

namespace relay::spool {

/// The highest count of starts in the ids of this spool that records bear; 0 when there are none. One seek
/// for each column family.
/// @param is_thorough  also the ids in `due` and of quarantined places in the queue: reads all of them
/// Errors: as to_read_error().
[[nodiscard]] Result<std::uint64_t> highest_start(
  const OpenDatabase& database, std::uint32_t spool, bool is_thorough
);

/// How many messages lost their place by damage, and what became of them.
struct Recovered {
  std::uint64_t queued = 0;       ///< wait again, from now on
  std::uint64_t failed = 0;       ///< every recipient was settled, and some had failed
  std::uint64_t removed = 0;      ///< every recipient had got it
  std::uint64_t quarantined = 0;  ///< do not verify
};

/// Walks all envelopes: each that stands neither in `due` nor in `failed` is given a place, synced. Else it
/// would neither be delivered nor reported, ever. Holds the ids of the whole queue in memory, 16 octets each.
/// @param now  when they are due
/// Errors: as Store::write() and the readers.
[[nodiscard]] Result<Recovered> give_places(Store& store, const OpenDatabase& database, WallTime now);

}  // namespace relay::spool
