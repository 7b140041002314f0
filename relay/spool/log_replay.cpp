#include "relay/spool/log_replay.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <limits>
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

bool is_number(const std::string& text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

/// Of RocksDB, by their numbers, which have six digits or more.
Result<std::vector<fs::path>> files_with(const std::string& path, std::string_view extension) {
  std::vector<fs::path> found;
  std::error_code failed;
  for (fs::directory_iterator at(path, failed), end; !failed && at != end; at.increment(failed)) {
    const auto& file = at->path();
    if (file.extension() == extension && is_number(file.stem().string())) found.push_back(file);
  }
  if (failed) return tl::unexpected(failed_at("list", path));
  std::sort(found.begin(), found.end(), [](const fs::path& one, const fs::path& other) {
    const auto a = one.filename().string(), b = other.filename().string();
    return std::pair(a.size(), a) < std::pair(b.size(), b);
  });
  return found;
}

/// All of them: what a disk does not give just now must not be taken for what there is. Of a file that grows meanwhile it is an
/// error, too.
Result<std::string> octets_of(const fs::path& path) {
  std::error_code failed;
  const auto size = fs::file_size(path, failed);
  if (failed) return tl::unexpected(failed_at("read", path.string()));
  std::string octets(size, '\0');
  std::ifstream file(path, std::ios::binary);
  file.read(octets.data(), static_cast<std::streamsize>(size));
  const bool is_all = file && file.peek() == std::ifstream::traits_type::eof() && !file.bad();
  if (!is_all) return tl::unexpected(failed_at("read", path.string()));
  return octets;
}

/// The same of a file of any size: calls `visit` with one kLogBlock after the other, and less than one at its end.
template <class Visit>
Result<void> for_each_block(const std::string& path, Visit visit) {
  std::ifstream file(path, std::ios::binary);
  std::string block(kLogBlock, '\0');
  std::uintmax_t read = 0;
  while (file) {
    file.read(block.data(), static_cast<std::streamsize>(block.size()));
    const auto some = static_cast<std::size_t>(file.gcount());
    if (some > 0) visit(std::string_view(block).substr(0, some));
    read += some;
  }
  std::error_code failed;
  if (fs::file_size(path, failed) != read || failed) return tl::unexpected(failed_at("read", path));
  return {};
}

Result<void> write_part(const std::string& part, const std::string& octets) {
  std::ofstream file(part, std::ios::binary | std::ios::trunc);
  file << octets;
  file.flush();
  if (!file) return tl::unexpected(failed_at("write", part));
  if (!sync_file(part)) return tl::unexpected(failed_at("sync", part));
  return {};
}

/// As a whole or not at all, also behind a power cut.
Result<void> replace(const fs::path& path, const std::string& octets) {
  const auto part = path.string() + ".part";
  std::error_code failed;
  if (auto written = write_part(part, octets); !written) {
    fs::remove(part, failed);  // the disk may be full
    return written;
  }
  fs::rename(part, path, failed);
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
    if (auto replaced = replace(log, mended); !replaced) return replaced;
  }
  return {};
}

namespace {

/// The file that CURRENT names; empty when it names none, or is not there.
Result<std::string> current_manifest(const std::string& path) {
  const fs::path current = path + "/CURRENT";
  std::error_code failed;
  if (!fs::exists(current, failed)) {
    if (failed) return tl::unexpected(failed_at("read", current.string()));
    return std::string();
  }
  auto octets = octets_of(current);
  if (octets) octets->resize(std::min(octets->find('\n'), octets->size()));
  return octets;
}

std::uint32_t sum_of(std::string_view octets) {
  return rocksdb::crc32c::Extend(0, octets.data(), octets.size());
}

struct Note {
  std::string name;
  std::uint64_t size = 0;
  std::uint32_t sum = 0;
};

/// With a sum of its own: a note that is damaged says nothing of the list.
std::string to_text(const Note& note) {
  auto text = note.name + " " + std::to_string(note.size) + " " + std::to_string(note.sum);
  const auto own = std::to_string(sum_of(text));
  return std::move(text) + " " + own + "\n";
}

std::optional<Note> read_note(const std::string& path) {
  const auto octets = octets_of(manifest_note(path));
  if (!octets) return std::nullopt;
  Note note;
  std::istringstream(*octets) >> note.name >> note.size >> note.sum;
  return to_text(note) == *octets ? std::optional(note) : std::nullopt;
}

/// What a list of tables is, looked at once.
struct Look {
  std::uint64_t size = 0;
  std::uint32_t sum = 0;  ///< of as many octets as were asked for
  bool is_damaged_within = false;
};

Result<Look> look_at(const std::string& manifest, std::uint64_t summed) {
  Look look;
  DamageSearch search;
  auto read = for_each_block(manifest, [&](std::string_view block) {
    const auto wanted = block.substr(0, summed - std::min(summed, look.size));
    look.sum = rocksdb::crc32c::Extend(look.sum, wanted.data(), wanted.size());
    look.size += block.size();
    search.read(block);
  });
  if (!read) return tl::unexpected(read.error());
  look.is_damaged_within = search.has_found();
  return look;
}

}  // namespace

void note_manifest(const std::string& path) {
  const auto name = current_manifest(path);
  if (!name || name->empty()) return;
  const auto manifest = path + "/" + *name;
  const auto list = look_at(manifest, std::numeric_limits<std::uint64_t>::max());
  // Synced when all that the note speaks of is written.
  if (!list || !sync_file(manifest)) return;
  (void)replace(manifest_note(path), to_text({*name, list->size, list->sum}));
}

bool is_manifest_damaged(const std::string& path) {
  const auto tables = files_with(path, ".sst"), logs = files_with(path, kLog);
  const bool holds_mail = tables && logs && !(tables->empty() && logs->empty());
  const auto current = current_manifest(path);
  if (!holds_mail || !current) return false;  // RocksDB has its own words for what can't be read
  if (current->empty()) return true;          // it is made before them
  const auto note = read_note(path);
  const auto manifest = path + "/" + *current;
  std::error_code failed;
  if (!fs::exists(manifest, failed)) return !failed;
  const bool is_noted = note && note->name == *current;  // else a later start has made another list
  const auto list = look_at(manifest, is_noted ? note->size : 0);
  if (!list) return false;
  return list->is_damaged_within || (is_noted && (list->size < note->size || list->sum != note->sum));
}

}  // namespace relay::spool
