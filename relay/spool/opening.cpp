#include "relay/spool/opening.hpp"

#include <cerrno>
#include <cstring>
#include <ctime>
#include <fcntl.h>
#include <optional>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "relay/spool/log_replay.hpp"
#include "relay/spool/manifest.hpp"
#include "relay/spool/marks.hpp"

namespace relay::spool {
namespace {

log::Record damage_record(const Error& error, const std::string& aside) {
  return log::error("spool_damaged")
    .with("error", error.message())
    .with("copy", aside)
    .with(
      "message",
      "the spool was damaged: what could be read is in use, a copy of all as it was found is kept for a "
      "person"
    );
}

/// Once for a repair: a start that can't finish it comes back every few minutes, and would fill the disk with copies
/// of what the first one left. Says where the copy is.
Result<std::string> keep_copy(const std::string& path) {
  if (is_marked(walk_mark(path)))
    return std::string("made by an earlier start, whose repair was not finished");
  auto aside = path + "/aside-" + std::to_string(std::time(nullptr));
  if (auto copied = copy_aside(path, aside); !copied) return tl::unexpected(copied.error());
  return aside;
}

/// RocksDB 7.8 begins files as it opens, and may end the process when there is no space for them (an assertion in Debian's
/// build).
Result<void> has_room(const std::string& path) {
  constexpr std::uint64_t kRoom = 1U << 20U;
  struct statvfs status{};
  if (statvfs(path.c_str(), &status) != 0) return {};  // then opening fails with words of its own
  const bool has_inodes = status.f_files == 0 || status.f_favail > 0;
  if (has_inodes && status.f_bavail * status.f_frsize >= kRoom) return {};
  return transient(Errc::storage_full, "the disk of " + path + " is full: make space on it");
}

/// From the tables that can be read and the log.
Result<OpenDatabase> rebuild(const OpenOptions& options) {
  if (auto hidden = hide_logs(options.path); !hidden) return tl::unexpected(hidden.error());
  if (auto repaired = repair_database(options.path, options.log); !repaired)
    return tl::unexpected(repaired.error());
  auto opened = open_database(options.path, Recovery::skip_damaged, options.log);
  if (!opened) return opened;
  if (auto replayed = replay_logs(options.path, *opened); !replayed) return tl::unexpected(replayed.error());
  remove_mark(repair_mark(options.path));
  return opened;
}

/// Opens a database that is damaged: first without the log's damaged records, then with rebuilt tables.
Result<OpenDatabase> open_damaged(const OpenOptions& options, const Error& damage) {
  const auto copy = keep_copy(options.path);
  if (!copy) return tl::unexpected(copy.error());
  if (options.log != nullptr) options.log->write(damage_record(damage, *copy));
  if (options.metrics != nullptr) options.metrics->shard(0).add(metrics::Counter::spool_repairs);
  leave_mark(options.path, walk_mark(options.path));
  if (!is_marked(walk_mark(options.path))) {  // mail that has lost its place would wait unseen
    return tl::unexpected(
      Error{Errc::storage_failed, Fate::terminal, "mark the repair of the spool in " + options.path}
    );
  }
  const bool wants_rebuilding = is_marked(repair_mark(options.path)) || has_hidden_logs(options.path) ||
                                is_manifest_damaged(options.path);
  if (!wants_rebuilding) {
    if (auto mended = mend_logs(options.path); !mended) return tl::unexpected(mended.error());
    auto opened = open_database(options.path, Recovery::skip_damaged, options.log);
    if (opened || opened.error().code != Errc::corrupt) return opened;
  }
  return rebuild(options);
}

/// What RocksDB would not notice as it opens the database, and opening it would make worse.
std::optional<std::string> hidden_damage(const std::string& path) {
  if (has_hidden_logs(path)) return "a repair of the spool was not finished";
  if (is_manifest_damaged(path)) return "the list of the spool's tables is damaged or gone";
  return std::nullopt;
}

/// Whoever opens the spool, and repairs it before, has its folder: of the steps of a repair some change files while nobody has
/// RocksDB's lock. Where the file system knows no such lock, all go on without.
class Turn {
 public:
  explicit Turn(const std::string& path)
      : folder_(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)),
        is_anothers_(folder_ >= 0 && flock(folder_, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {}
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;
  ~Turn() {
    if (folder_ >= 0) (void)close(folder_);
  }
  [[nodiscard]] bool is_anothers() const { return is_anothers_; }

 private:
  int folder_;
  bool is_anothers_;
};

/// Whether another process has RocksDB's lock. Not while this one has: the close would let go of it.
bool is_held(const std::string& path) {
  const int file = ::open((path + "/LOCK").c_str(), O_RDWR | O_CLOEXEC);
  if (file < 0) return false;
  struct flock lock{};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  const bool is_known = fcntl(file, F_GETLK, &lock) == 0;
  (void)close(file);
  return is_known && lock.l_type != F_UNLCK;
}

Result<OpenDatabase> try_to_open(const OpenOptions& options) {
  if (auto room = has_room(options.path); !room) return tl::unexpected(std::move(room.error()));
  // What another process writes just now must not be judged.
  if (is_held(options.path)) return transient(Errc::conflict, "another process has the spool");
  if (auto damage = hidden_damage(options.path)) return permanent(Errc::corrupt, std::move(*damage));
  auto opened = open_database(options.path, Recovery::strict, options.log);
  if (opened && is_marked(repair_mark(options.path)))
    return permanent(Errc::corrupt, "a table of the spool was found damaged while it was in use");
  return opened;
}

}  // namespace

Result<void> make_folder(const std::string& path) {
  const bool is_new = mkdir(path.c_str(), 0700) == 0;
  if (!is_new && errno != EEXIST) {
    return tl::unexpected(
      Error{Errc::storage_failed, Fate::terminal, "make " + path + ": " + std::strerror(errno)}
    );
  }
  // RocksDB syncs what is in it; its own name stands in the folder above.
  if (is_new) sync_folder(path + "/..");
  // Only who owns the folder may change its mode; a stricter owner has done so already.
  if (chmod(path.c_str(), 0700) != 0 && errno != EPERM) {
    return tl::unexpected(
      Error{Errc::storage_failed, Fate::terminal, "chmod " + path + ": " + std::strerror(errno)}
    );
  }
  return {};
}

Result<OpenDatabase> open_when_free(const OpenOptions& options) {
  while (true) {
    auto turn = std::make_optional<Turn>(options.path);
    auto opened = turn->is_anothers()
                    ? Result<OpenDatabase>(transient(Errc::conflict, "another process opens the spool"))
                    : try_to_open(options);
    if (opened) return opened;
    if (opened.error().code == Errc::corrupt) return open_damaged(options, opened.error());
    const auto code = opened.error().code;
    if (code != Errc::conflict && code != Errc::storage_full) return opened;
    turn.reset();
    if (!options.keep_waiting || !options.keep_waiting(opened.error()))
      return transient(Errc::cancelled, "gave up waiting: " + opened.error().context);
  }
}

}  // namespace relay::spool
