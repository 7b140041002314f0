#include "relay/spool/database.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <rocksdb/cache.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/slice_transform.h>
#include <rocksdb/table.h>
#include <rocksdb/utilities/table_properties_collectors.h>

#include "relay/spool/log_checksum.hpp"
#include "relay/spool/marks.hpp"

namespace relay::spool {
namespace {

constexpr std::size_t kCacheOctets = 8U << 20U;
// Of each family: what it holds of a large message grows with it (docs/benchmarks/README.md, large).
constexpr std::size_t kBuffer = 4U << 20U;
constexpr std::uint64_t kMaxLogs = 64ULL
                                   << 20U;  // octets of write-ahead log kept for families that seldom change

/// Octets of the list of tables, before RocksDB begins another; all of it is read at every start. A table takes some 150 of them.
constexpr std::uint64_t kMaxList = 16ULL << 20U;

/// RocksDB's own words, as records of our log.
class Forwarder : public rocksdb::Logger {
 public:
  explicit Forwarder(log::Sink* sink) : rocksdb::Logger(rocksdb::WARN_LEVEL), sink_(sink) {}
  using rocksdb::Logger::Logv;
  void Logv(const char* format, va_list arguments) override {
    if (sink_ == nullptr) return;
    std::array<char, 1024> text{};
    std::vsnprintf(text.data(), text.size(), format, arguments);
    std::string_view message(text.data());
    while (message.ends_with('\n')) message.remove_suffix(1);
    sink_->write(log::warning("rocksdb").with("message", message));
  }

 private:
  log::Sink* sink_;
};

rocksdb::Options database_options(Recovery recovery, log::Sink* log) {
  rocksdb::Options options;
  options.info_log = std::make_shared<Forwarder>(log);
  options.create_if_missing = true;
  options.create_missing_column_families = true;
  options.paranoid_checks = true;
  options.wal_recovery_mode = recovery == Recovery::strict
                                ? rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords
                                : rocksdb::WALRecoveryMode::kSkipAnyCorruptedRecords;
  options.max_total_wal_size = kMaxLogs;
  options.max_manifest_file_size = kMaxList;
  options.max_open_files = 256;
  options.max_background_jobs = 2;
  options.stats_dump_period_sec = 0;
  options.avoid_flush_during_shutdown = true;  // nothing that is in no log is worth it
  return options;
}

rocksdb::ColumnFamilyOptions family_options(Family family, const std::shared_ptr<rocksdb::Cache>& cache) {
  rocksdb::ColumnFamilyOptions options;
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = cache;
  table.cache_index_and_filter_blocks = true;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  // One hint for all keys: where the last one went (store_write.cpp sorts a batch).
  options.memtable_insert_with_hint_prefix_extractor.reset(rocksdb::NewFixedPrefixTransform(0));
  options.write_buffer_size = kBuffer;
  options.compression = family == Family::content ? rocksdb::kLZ4Compression : rocksdb::kNoCompression;
  // Deleted mail gives its space back without waiting for more to come.
  options.table_properties_collector_factories.push_back(
    rocksdb::NewCompactOnDeletionCollectorFactory(1024, 512, 0.5)
  );
  return options;
}

/// RocksDB has a code for ENOSPC alone, and words for the others. Nothing of the disk is broken: what is short is there again
/// some time, or in another process (decision 0107).
bool tells_of_shortage(const std::string& text) {
  constexpr std::array kShortages{EDQUOT, EMFILE, ENFILE};
  return std::any_of(kShortages.begin(), kShortages.end(), [&](int error) {
    return text.find(std::strerror(error)) != std::string::npos;
  });
}

Errc code_of(const rocksdb::Status& status) {
  if (status.IsNotFound()) return Errc::not_found;
  // Busy: RocksDB recovers from a full disk by itself and is at it.
  if (status.IsNoSpace() || status.IsBusy()) return Errc::storage_full;
  if (status.IsCorruption()) return Errc::corrupt;
  const auto text = status.ToString();
  if (tells_of_shortage(text)) return Errc::storage_full;
  const bool is_locked = text.find("While lock file") != std::string::npos &&
                         text.find("Resource temporarily") != std::string::npos;
  if (is_locked || text.find("lock hold by current process") != std::string::npos) return Errc::conflict;
  return Errc::storage_failed;
}

Fate fate_of(Errc code) {
  switch (code) {
    case Errc::storage_full:
    case Errc::conflict: return Fate::transient;
    case Errc::not_found:
    case Errc::corrupt: return Fate::permanent;
    default: return Fate::terminal;
  }
}

}  // namespace

OpenDatabase::~OpenDatabase() {
  if (!db) return;
  for (auto* handle : families) {
    if (handle != nullptr) (void)db->DestroyColumnFamilyHandle(handle);
  }
  (void)db->Close();
}

Error to_error(const rocksdb::Status& status, const std::string& what) {
  const auto code = code_of(status);
  if (status.IsBusy())
    return Error{code, fate_of(code), what + ": the disk was full, and it waits for space"};
  return Error{code, fate_of(code), what + ": " + status.ToString()};
}

Error to_read_error(const rocksdb::Status& status, const std::string& what) {
  auto error = to_error(status, what);
  if (error.code == Errc::storage_failed || error.code == Errc::storage_full)
    return {Errc::storage_failed, Fate::transient, std::move(error.context)};
  return error;
}

Result<OpenDatabase> open_database(const std::string& path, Recovery recovery, log::Sink* log) {
  const auto sums_before = sums_made();
  const auto cache = rocksdb::NewLRUCache(kCacheOctets);
  std::vector<rocksdb::ColumnFamilyDescriptor> descriptors;
  OpenDatabase opened;
  for (std::size_t i = 0; i < opened.families.size(); ++i) {
    const auto family = static_cast<Family>(i);
    descriptors.emplace_back(std::string(name(family)), family_options(family, cache));
  }
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::DB* db = nullptr;
  const auto status = rocksdb::DB::Open(database_options(recovery, log), path, descriptors, &handles, &db);
  if (!status.ok()) return tl::unexpected(to_error(status, "open the spool " + path));
  opened.db.reset(db);
  std::copy(handles.begin(), handles.end(), opened.families.begin());
  if (log != nullptr && sums_made() == sums_before)  // it has written its manifest
    log->write(
      log::info("spool_sums_slowly").with("message", "RocksDB has another function for its checksums")
    );
  return opened;
}

Result<void> repair_database(const std::string& path, log::Sink* log) {
  const auto cache = rocksdb::NewLRUCache(kCacheOctets);
  std::vector<rocksdb::ColumnFamilyDescriptor> descriptors;
  for (std::size_t i = 0; i < static_cast<std::size_t>(Family::count); ++i) {
    const auto family = static_cast<Family>(i);
    descriptors.emplace_back(std::string(name(family)), family_options(family, cache));
  }
  const auto status =
    rocksdb::RepairDB(path, rocksdb::DBOptions(database_options(Recovery::skip_damaged, log)), descriptors);
  if (!status.ok()) return tl::unexpected(to_error(status, "repair the spool " + path));
  return {};
}

namespace {

namespace fs = std::filesystem;

/// The library's copy may end early on a full disk without a word.
void copy_whole(const fs::path& from, const fs::path& to, std::error_code& failed) {
  fs::copy_file(from, to, failed);
  if (failed) return;
  const auto size = fs::file_size(from, failed);
  if (!failed && fs::file_size(to, failed) != size && !failed)
    failed = std::make_error_code(std::errc::no_space_on_device);
  // What it is a copy of is written anew, synced.
  if (!failed && !sync_file(to.string())) failed = std::make_error_code(std::errc::io_error);
}

Error cannot_copy(const std::string& aside, const std::error_code& failed) {
  return {
    Errc::storage_failed, Fate::terminal, "copy the damaged spool to " + aside + ": " + failed.message()
  };
}

void copy_entry(const fs::directory_entry& entry, const fs::path& aside, std::error_code& failed) {
  const bool is_file = entry.is_regular_file(failed);
  if (failed || !is_file || entry.path().filename() == "LOCK") return;
  const auto target = aside / entry.path().filename();
  if (entry.path().extension() == ".sst") fs::create_hard_link(entry.path(), target, failed);
  else copy_whole(entry.path(), target, failed);
}

}  // namespace

Result<void> copy_aside(const std::string& path, const std::string& aside) {
  std::error_code failed;
  if (!fs::create_directory(aside, failed)) {
    if (!failed) failed = std::make_error_code(std::errc::file_exists);
    return tl::unexpected(cannot_copy(aside, failed));
  }
  fs::directory_iterator entry(path, failed);
  while (!failed && entry != fs::directory_iterator{}) {
    copy_entry(*entry, aside, failed);
    if (!failed) entry.increment(failed);  // which would forget the failure
  }
  if (failed) {
    std::error_code ignored;  // half a copy helps nobody, and takes space that the next try needs
    fs::remove_all(aside, ignored);
    return tl::unexpected(cannot_copy(aside, failed));
  }
  sync_folder(aside);
  return {};
}

}  // namespace relay::spool
