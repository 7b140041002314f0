#include "relay/spool/log_replay.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <rocksdb/write_batch.h>
#include <sstream>
#include <utility>

#include "relay/spool/log_checksum.hpp"
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
std::string manifest_note(const std::string& path) { return path + "/manifest-seen"; }

Error failed_at(const std::string& what, const std::string& path) {
  return {Errc::storage_failed, Fate::terminal, what + " " + path};
}

/// In their order: RocksDB numbers them, with leading zeros.
Result<std::vector<fs::path>> files_with(const std::string& path, std::string_view extension) {
  std::vector<fs::path> found;
  std::error_code failed;
  for (fs::directory_iterator at(path, failed), end; !failed && at != end; at.increment(failed)) {
    if (at->path().extension() == extension) found.push_back(at->path());
  }
  if (failed) return tl::unexpected(failed_at("list", path));
  std::sort(found.begin(), found.end());
  return found;
}

/// All of them: what a disk does not give just now must not be taken for what there is.
Result<std::string> octets_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream octets;
  octets << file.rdbuf();
  auto text = std::move(octets).str();
  std::error_code failed;
  const auto size = fs::file_size(path, failed);
  if (failed || text.size() != size) return tl::unexpected(failed_at("read", path.string()));
  return text;
}

/// As a whole or not at all, also behind a power cut.
Result<void> replace(const fs::path& path, const std::string& octets) {
  const auto part = path.string() + ".part";
  {
    std::ofstream file(part, std::ios::binary | std::ios::trunc);
    file << octets;
    file.flush();
    if (!file) return tl::unexpected(failed_at("write", part));
  }
  std::error_code failed;
  if (sync_file(part)) fs::rename(part, path, failed);
  else return tl::unexpected(failed_at("sync", part));
  if (failed) return tl::unexpected(failed_at("rename", part));
  sync_folder(path.parent_path());
  return {};
}

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
      const rocksdb::WriteBatch batch(std::move(record));
      Visitor visitor(put, remove);
      const auto done = batch.Iterate(&visitor);
      if (status.ok() && !done.IsCorruption()) status = done;  // what is no batch says nothing
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
    const auto there = get(family, key);
    if (there && *there == value) return {};
    if (there && family != Family::meta) {
      if (const auto removed = database_.db->SingleDelete({}, database_.family(family), key); !removed.ok())
        return removed;
    }
    return database_.db->Put({}, database_.family(family), key, value);
  }
  rocksdb::Status remove(std::uint32_t number, const std::string& key) const {
    const auto family = numbers_.of(number);
    if (family == Family::count || !get(family, key)) return {};
    return database_.db->SingleDelete({}, database_.family(family), key);
  }

 private:
  std::optional<std::string> get(Family family, const std::string& key) const {
    std::string value;
    const auto status = database_.db->Get({}, database_.family(family), key, &value);
    return status.ok() ? std::optional(std::move(value)) : std::nullopt;
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
    if (auto replaced = replace(log, mended); !replaced) return replaced;
  }
  return {};
}

namespace {

/// The file that CURRENT names; empty when it names none.
std::string current_manifest(const std::string& path) {
  std::ifstream file(path + "/CURRENT");
  std::string name;
  std::getline(file, name);
  return name;
}

}  // namespace

void note_manifest(const std::string& path) {
  const auto name = current_manifest(path);
  const auto manifest = path + "/" + name;
  if (name.empty() || !sync_file(manifest)) return;
  const auto list = octets_of(manifest);
  if (!list) return;
  const auto sum = rocksdb::crc32c::Extend(0, list->data(), list->size());
  (void
  )replace(manifest_note(path), name + " " + std::to_string(list->size()) + " " + std::to_string(sum) + "\n");
}

bool is_manifest_damaged(const std::string& path) {
  const auto tables = files_with(path, ".sst"), logs = files_with(path, kLog);
  const bool holds_mail = tables && logs && !(tables->empty() && logs->empty());
  if (!holds_mail) return false;
  const auto current = current_manifest(path);
  std::ifstream note(manifest_note(path));
  std::string name;
  std::size_t size = 0;
  std::uint32_t sum = 0;
  const bool is_noted = static_cast<bool>(note >> name >> size >> sum);
  if (current.empty()) return is_noted;
  std::error_code failed;
  if (!fs::exists(path + "/" + current, failed)) return !failed;
  const auto list = octets_of(path + "/" + current);
  if (!list) return false;  // RocksDB has its own words for that
  if (has_damage_within(*list)) return true;
  if (!is_noted || current != name) return false;  // a later start has made another list
  return list->size() < size || rocksdb::crc32c::Extend(0, list->data(), size) != sum;
}

}  // namespace relay::spool
