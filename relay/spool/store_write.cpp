/// What the store writes, and the space that it takes.

#include <algorithm>
#include <rocksdb/write_batch.h>
#include <tuple>

#include "relay/spool/store_database.hpp"

namespace relay::spool {

Operation put(Family family, std::string key, std::string value) {
  return {Operation::Kind::put, family, std::move(key), std::move(value)};
}
Operation put_record(Family family, std::string key, std::string_view payload) {
  auto value = seal(family, key, payload);
  return put(family, std::move(key), std::move(value));
}
Operation remove(Family family, std::string key) {
  return {Operation::Kind::remove, family, std::move(key), {}};
}

Result<void> Store::write(const Operations& operations, Sync sync) {
  Batch batch;
  batch.reserve(operations.size());
  for (const auto& operation : operations) batch.push_back(&operation);
  return write_batch(std::move(batch), sync);
}

Result<void> Store::write_batch(Batch batch, Sync sync) {
  // Neighbours one behind the other: the memtable finds the place of a key from that of the one before.
  std::stable_sort(batch.begin(), batch.end(), [](const Operation* one, const Operation* other) {
    return std::tie(one->family, one->key) < std::tie(other->family, other->key);
  });
  constexpr std::size_t kHeader = 12, kOverhead = 16;  // octets, of a batch and, at most, of an operation
  std::size_t size = kHeader;
  for (const auto* operation : batch) size += operation->key.size() + operation->value.size() + kOverhead;
  rocksdb::WriteBatch changes(size);
  for (const auto* operation : batch) {
    auto* family = database_->open.family(operation->family);
    (void)(operation->kind == Operation::Kind::put ? changes.Put(family, operation->key, operation->value)
                                                   : changes.SingleDelete(family, operation->key));
  }
  keep_a_memtable();
  rocksdb::WriteOptions options;
  options.sync = sync == Sync::yes;
  const auto status = database_->open.db->Write(options, &changes);
  if (!status.ok()) return tl::unexpected(beyond_repair_here(to_error(status, "write to the spool")));
  return {};
}

/// RocksDB 7.8 leaves a log whose last write met a full disk behind when it writes its memtables out to try again. With
/// nothing in any of them it stays with that log, and the next write to it ends the process (an assertion in Debian's
/// build). So there is always something: a key that is in no log, and that nobody reads.
void Store::keep_a_memtable() {
  auto& db = *database_->open.db;
  auto* family = database_->open.family(Family::meta);
  std::uint64_t entries = 0;
  const bool is_known =
    db.GetIntProperty(family, rocksdb::DB::Properties::kNumEntriesActiveMemTable, &entries);
  if (!is_known || entries > 0) return;
  rocksdb::WriteOptions options;
  options.disableWAL = true;
  (void)db.Put(options, family, "memtable", "");  // what fails here fails in the write behind it too
}

Result<void> Store::resume_writing() {
  const auto status = database_->open.db->Resume();
  if (status.ok()) return {};
  auto error = beyond_repair_here(to_error(status, "resume the spool"));
  // RocksDB could not make a file of its own, for want of space or of a descriptor: this instance never writes again, a new
  // one does.
  if (error.code == Errc::storage_full && status.severity() >= rocksdb::Status::Severity::kFatalError)
    error.fate = Fate::terminal;
  return tl::unexpected(std::move(error));
}

// ---- space ----

std::uint64_t Store::disk_octets() const {
  std::uint64_t sum = 0;
  for (auto* family : database_->open.families) {
    std::uint64_t octets = 0;
    (void)database_->open.db->GetIntProperty(family, rocksdb::DB::Properties::kTotalSstFilesSize, &octets);
    sum += octets;
  }
  rocksdb::VectorLogPtr logs;
  if (database_->open.db->GetSortedWalFiles(logs).ok()) {
    for (const auto& log : logs) sum += log->SizeFileBytes();
  }
  return sum;
}

void Store::reclaim() {
  auto& db = *database_->open.db;
  // Failures show at the next write; nothing is lost by a compaction that did not happen.
  const std::vector<rocksdb::ColumnFamilyHandle*> families(
    database_->open.families.begin(), database_->open.families.end()
  );
  (void)db.Flush(rocksdb::FlushOptions(), families);
  rocksdb::CompactRangeOptions options;
  options.exclusive_manual_compaction = false;
  options.canceled = &is_reclaiming_stopped_;
  for (auto* family : families) (void)db.CompactRange(options, family, nullptr, nullptr);
}

}  // namespace relay::spool
