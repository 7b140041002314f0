#pragma once
/// RocksDB as the store uses it: options, column families, statuses as Errors.

#include <array>
#include <memory>
#include <rocksdb/db.h>
#include <string>

#include "relay/base/log.hpp"
#include "relay/spool/keys.hpp"

namespace relay::spool {

/// How much damage opening may overlook.
enum class Recovery : std::uint8_t {
  strict,        ///< only a torn end of the log, which nobody was promised
  skip_damaged,  ///< also damaged records in its middle
};

/// An open database with its column families; closes at destruction.
struct OpenDatabase {
  std::unique_ptr<rocksdb::DB> db;
  std::array<rocksdb::ColumnFamilyHandle*, static_cast<std::size_t>(Family::count)> families{};

  OpenDatabase() = default;
  OpenDatabase(OpenDatabase&&) = default;
  OpenDatabase& operator=(OpenDatabase&&) = default;
  ~OpenDatabase();

  [[nodiscard]] rocksdb::ColumnFamilyHandle* family(Family which) const {
    return families[static_cast<std::size_t>(which)];
  }
};

/// @param log  told what RocksDB warns of; may be null; outlives the database. RocksDB keeps no log file of
///             its own: it would lie on the disk that may be full, where a second failed write to it ends the
///             process (an assertion that Debian's build has switched on).
/// Errors: conflict when another process holds the lock; corrupt; storage_full, also of a quota or of descriptors;
/// storage_failed.
[[nodiscard]] Result<OpenDatabase> open_database(const std::string& path, Recovery recovery, log::Sink* log);

/// Rebuilds what can be read of a database that does not open. Errors as open_database().
[[nodiscard]] Result<void> repair_database(const std::string& path, log::Sink* log);

/// Copies a database's files into `aside` (which must not exist): table files as hard links, since they never
/// change. Leaves nothing there when it fails.
[[nodiscard]] Result<void> copy_aside(const std::string& path, const std::string& aside);

/// A RocksDB failure as an Error. `what` says what was tried. What is short is storage_full: space (ENOSPC, EDQUOT) or
/// descriptors (EMFILE, ENFILE).
[[nodiscard]] Error to_error(const rocksdb::Status& status, const std::string& what);
/// The same of a read: what the disk or the process could not do (EIO, EMFILE) says nothing of the record
/// and may be tried again: storage_failed, transient.
[[nodiscard]] Error to_read_error(const rocksdb::Status& status, const std::string& what);

/// Visits keys from `from` on until `visit` says false. The status tells whether the table blocks could be
/// read.
template <class Visit>
rocksdb::Status for_each_key(
  const OpenDatabase& database, Family family, const std::string& from, Visit visit
) {
  rocksdb::ReadOptions options;
  options.fill_cache = false;
  const std::unique_ptr<rocksdb::Iterator> at(database.db->NewIterator(options, database.family(family)));
  for (at->Seek(from); at->Valid(); at->Next()) {
    if (!visit(at->key().ToStringView(), at->value().ToStringView())) break;
  }
  return at->status();
}

}  // namespace relay::spool
