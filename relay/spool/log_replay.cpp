#include "relay/spool/log_replay.hpp"

#include <algorithm>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <rocksdb/write_batch.h>
#include <utility>

#include "relay/spool/files.hpp"
#include "relay/spool/log_records.hpp"
#include "relay/spool/marks.hpp"
#include "relay/spool/record.hpp"

namespace relay::spool {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kLog = ".log";

/// Becomes the other once all logs are in it.
std::string filling_folder(const std::string& path) { return path + "/replay.part"; }
std::string hidden_folder(const std::string& path) { return path + "/replay"; }
/// Removed in its time: with some of its logs it would say something else.
std::string done_folder(const std::string& path) { return path + "/replay.done"; }

/// What a batch of RocksDB does to one key after the other.
class Visitor : public rocksdb::WriteBatch::Handler {
 public:
  using Put = std::function<rocksdb::Status(std::uint32_t, const std::string&, const std::string&)>;
  using Remove = std::function<rocksdb::Status(std::uint32_t, const std::string&)>;
  Visitor(Put put, Remove remove) : put_(std::move(put)), remove_(std::move(remove)) {}

  rocksdb::Status PutCF(std::uint32_t number, const rocksdb::Slice& key, const rocksdb::Slice& value)
    override {
    return put_(number, key.ToString(), value.ToString());
  }
  rocksdb::Status SingleDeleteCF(std::uint32_t number, const rocksdb::Slice& key) override {
    return remove_(number, key.ToString());
  }

 private:
  Put put_;
  Remove remove_;
};

/// The log names families by numbers, whose names stand in a file that may be gone. A record verifies in its own family only.
class Numbers {
 public:
  void learn(std::uint32_t number, const std::string& key, const std::string& value) {
    if (known_.contains(number)) return;
    for (std::size_t i = 1; i < static_cast<std::size_t>(Family::count); ++i) {
      const auto family = static_cast<Family>(i);
      if (open_record(family, key, value)) known_[number] = family;
      else if (key.starts_with(std::string(name(family)) + '\0'))
        known_.try_emplace(number, Family::quarantine);
    }
    if (value.empty() && parse_id_key(key)) known_.try_emplace(number, Family::incoming);
  }
  /// As a spool that was never repaired has them, where nothing tells, unless another number has that family. Family::count:
  /// nobody knows.
  [[nodiscard]] Family of(std::uint32_t number) const {
    const auto found = known_.find(number);
    if (found != known_.end()) return found->second;
    const bool is_taken = std::any_of(known_.begin(), known_.end(), [&](const auto& entry) {
      return static_cast<std::uint32_t>(entry.second) == number;
    });
    const bool is_known = number < static_cast<std::uint32_t>(Family::count) && !is_taken;
    return is_known ? static_cast<Family>(number) : Family::count;
  }

 private:
  std::map<std::uint32_t, Family> known_{{0, Family::meta}};
};

template <class Put, class Remove>
rocksdb::Status visit_all(const std::vector<std::string>& logs, Put put, Remove remove) {
  rocksdb::Status status;
  for (const auto& log : logs) {
    for_each_log_record(log, [&](std::string record) {
      if (!status.ok()) return;  // what follows builds on it
      const rocksdb::WriteBatch batch(std::move(record));
      Visitor visitor(put, remove);
      const auto done = batch.Iterate(&visitor);
      if (!done.IsCorruption()) status = done;  // what is no batch says nothing
    });
  }
  return status;
}

/// What a table has already is there once, and a key that is gone is not removed again: a key is put once and removed once,
/// or RocksDB takes a later compaction for broken.
class Replay {
 public:
  Replay(const OpenDatabase& database, const Numbers& numbers) : database_(database), numbers_(numbers) {}

  rocksdb::Status put(std::uint32_t number, const std::string& key, const std::string& value) const {
    const auto family = numbers_.of(number);
    if (family == Family::count) return {};
    std::optional<std::string> there;
    if (auto status = get(family, key, there); !status.ok()) return status;
    if (there && *there == value) return {};
    if (there && family != Family::meta) {
      if (const auto removed = database_.db->SingleDelete({}, database_.family(family), key); !removed.ok())
        return removed;
    }
    return database_.db->Put({}, database_.family(family), key, value);
  }
  rocksdb::Status remove(std::uint32_t number, const std::string& key) const {
    const auto family = numbers_.of(number);
    if (family == Family::count) return {};
    std::optional<std::string> there;
    if (auto status = get(family, key, there); !status.ok() || !there) return status;
    return database_.db->SingleDelete({}, database_.family(family), key);
  }

 private:
  /// What is damaged is not there; what the disk does not give just now may be.
  rocksdb::Status get(Family family, const std::string& key, std::optional<std::string>& there) const {
    std::string value;
    const auto status = database_.db->Get({}, database_.family(family), key, &value);
    if (status.ok()) there = std::move(value);
    return status.IsNotFound() || status.IsCorruption() ? rocksdb::Status() : status;
  }

  const OpenDatabase& database_;
  const Numbers& numbers_;
};

/// Their records, one after the other, synced.
rocksdb::Status enter(const std::vector<std::string>& logs, const OpenDatabase& database) {
  Numbers numbers;
  auto status = visit_all(
    logs,
    [&](std::uint32_t number, const std::string& key, const std::string& value) {
      numbers.learn(number, key, value);
      return rocksdb::Status();
    },
    [](std::uint32_t, const std::string&) { return rocksdb::Status(); }
  );
  if (!status.ok()) return status;
  const Replay replay(database, numbers);
  status = visit_all(
    logs,
    [&](std::uint32_t number, const std::string& key, const std::string& value) {
      return replay.put(number, key, value);
    },
    [&](std::uint32_t number, const std::string& key) { return replay.remove(number, key); }
  );
  return status.ok() ? database.db->SyncWAL() : status;
}

}  // namespace

Result<void> hide_logs(const std::string& path) {
  if (is_marked(hidden_folder(path))) return {};
  const auto logs = files_with(path, kLog);
  if (!logs) return tl::unexpected(logs.error());
  const fs::path filling = filling_folder(path);
  std::error_code failed;
  fs::remove_all(done_folder(path), failed);
  if (!failed) fs::create_directory(filling, failed);
  for (const auto& log : *logs) {
    if (!failed) fs::rename(log, filling / log.filename(), failed);
  }
  sync_folder(filling);
  if (!failed) fs::rename(filling, hidden_folder(path), failed);
  if (failed) return tl::unexpected(failed_at("move the log of", path));
  sync_folder(path);
  return {};
}

bool has_hidden_logs(const std::string& path) {
  return is_marked(hidden_folder(path)) || is_marked(filling_folder(path));
}

Result<void> replay_logs(const std::string& path, const OpenDatabase& database) {
  const auto files = files_with(hidden_folder(path), kLog);
  if (!files) return tl::unexpected(files.error());
  std::vector<std::string> logs;
  for (const auto& file : *files) {
    auto octets = octets_of(file);
    if (!octets) return tl::unexpected(octets.error());
    logs.push_back(std::move(*octets));
  }
  if (auto status = enter(logs, database); !status.ok())
    return tl::unexpected(to_error(status, "replay the log of the spool"));
  std::error_code failed;
  fs::rename(hidden_folder(path), done_folder(path), failed);
  if (failed) return tl::unexpected(failed_at("put the replayed log away in", path));
  sync_folder(path);
  fs::remove_all(done_folder(path), failed);
  return {};
}

Result<void> mend_logs(const std::string& path) {
  const auto logs = files_with(path, kLog);
  if (!logs) return tl::unexpected(logs.error());
  for (const auto& log : *logs) {
    const auto octets = octets_of(log);
    if (!octets) return tl::unexpected(octets.error());
    const auto mended = mended_log(*octets);
    if (mended == *octets) continue;
    if (auto replaced = replace_file(log, mended); !replaced) return replaced;
  }
  return {};
}

}  // namespace relay::spool
