#include "relay/spool/manifest.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <limits>
#include <optional>
#include <sstream>

#include "relay/spool/files.hpp"
#include "relay/spool/log_checksum.hpp"
#include "relay/spool/log_records.hpp"
#include "relay/spool/marks.hpp"

namespace relay::spool {
namespace {

namespace fs = std::filesystem;

std::string manifest_note(const std::string& path) { return path + "/manifest-seen"; }

/// octets_of() for a file of any size: calls `visit` with one kLogBlock after the other, and less than one at its end.
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
  (void)replace_file(manifest_note(path), to_text({*name, list->size, list->sum}));
}

bool is_manifest_damaged(const std::string& path) {
  const auto tables = files_with(path, ".sst"), logs = files_with(path, ".log");
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
