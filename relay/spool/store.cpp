#include "relay/spool/store.hpp"

#include <cerrno>
#include <cstring>
#include <ctime>
#include <fcntl.h>
#include <random>
#include <rocksdb/write_batch.h>
#include <set>
#include <sys/stat.h>
#include <unistd.h>

#include "relay/base/text.hpp"
#include "relay/spool/database.hpp"
#include "relay/spool/recovery.hpp"

namespace relay::spool {
namespace {

constexpr std::string_view kFormat = "2";
/// Read as it is: places without a share are for all recipients.
constexpr std::string_view kFormerFormat = "1";
constexpr unsigned kStartBits = 24;

/// The key behind every key that starts with `prefix`, which ends in NUL.
std::string behind_prefix(std::string prefix) {
  prefix.back() = '\x01';
  return prefix;
}

}  // namespace

struct Store::Database {
  OpenDatabase open;
};

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

// ---- opening ----

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

/// Stands in the folder while the tables are known to be damaged: opening alone would not notice.
std::string repair_mark(const std::string& path) { return path + "/repair-wanted"; }
/// Stands in the folder from the moment damage is overlooked until recover_places() has run, across a crash
/// between: the next start would find nothing wrong.
std::string walk_mark(const std::string& path) { return path + "/walk-wanted"; }

bool is_marked(const std::string& mark) { return access(mark.c_str(), F_OK) == 0; }

/// Nothing when it cannot be: a disk that takes no file says more by its own errors.
void sync_file(const std::string& path, int flags) {
  const int file = ::open(path.c_str(), flags | O_CLOEXEC, 0600);
  if (file < 0) return;
  (void)fsync(file);
  (void)close(file);
}

/// Synced, with its folder: what it speaks of outlives a power cut, too.
void leave_mark(const std::string& folder, const std::string& mark) {
  sync_file(mark, O_WRONLY | O_CREAT);
  sync_file(folder, O_RDONLY | O_DIRECTORY);
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

/// Opens a database that is damaged: first without the log's damaged records, then with rebuilt tables.
Result<OpenDatabase> open_damaged(const OpenOptions& options, const Error& damage) {
  const auto copy = keep_copy(options.path);
  if (!copy) return tl::unexpected(copy.error());
  if (options.log != nullptr) options.log->write(damage_record(damage, *copy));
  if (options.metrics != nullptr) options.metrics->shard(0).add(metrics::Counter::spool_repairs);
  leave_mark(options.path, walk_mark(options.path));
  const bool tables_are_damaged = is_marked(repair_mark(options.path));
  if (!tables_are_damaged) {
    auto opened = open_database(options.path, Recovery::skip_damaged, options.log);
    if (opened || opened.error().code != Errc::corrupt) return opened;
  }
  if (auto repaired = repair_database(options.path, options.log); !repaired)
    return tl::unexpected(repaired.error());
  auto opened = open_database(options.path, Recovery::skip_damaged, options.log);
  if (opened) (void)unlink(repair_mark(options.path).c_str());
  return opened;
}

Result<OpenDatabase> open_when_free(const OpenOptions& options) {
  while (true) {
    auto opened = open_database(options.path, Recovery::strict, options.log);
    if (opened && is_marked(repair_mark(options.path))) {
      opened = permanent(Errc::corrupt, "a table of the spool was found damaged while it was in use");
    }
    if (opened) return opened;
    if (opened.error().code == Errc::corrupt) return open_damaged(options, opened.error());
    if (opened.error().code != Errc::conflict) return opened;
    if (!options.keep_waiting || !options.keep_waiting()) {
      return transient(Errc::cancelled, "gave up waiting for the process that holds " + options.path);
    }
  }
}

Result<void> make_folder(const std::string& path) {
  if (mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) {
    return tl::unexpected(
      Error{Errc::storage_failed, Fate::terminal, "make " + path + ": " + std::strerror(errno)}
    );
  }
  // Only who owns the folder may change its mode; a stricter owner has done so already.
  if (chmod(path.c_str(), 0700) != 0 && errno != EPERM) {
    return tl::unexpected(
      Error{Errc::storage_failed, Fate::terminal, "chmod " + path + ": " + std::strerror(errno)}
    );
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<Store>> Store::open(OpenOptions options) {
  if (auto made = make_folder(options.path); !made) return tl::unexpected(made.error());
  auto opened = open_when_free(options);
  if (!opened) return tl::unexpected(opened.error());
  auto database = std::make_unique<Database>(Database{std::move(*opened)});
  std::unique_ptr<Store> store(new Store(std::move(options), std::move(database)));
  if (auto begun = store->begin(); !begun) return tl::unexpected(begun.error());
  return store;
}

Store::Store(OpenOptions options, std::unique_ptr<Database> database)
    : options_(std::move(options)), database_(std::move(database)) {}

Store::~Store() = default;

/// Format, identity, and a new range of ids, synced before any is given; then what a crash or a repair left.
Result<void> Store::begin() {
  const bool was_repaired = is_marked(walk_mark(options_.path));
  if (auto known = check_format(); !known) return known;
  if (auto counted = count_start(was_repaired); !counted) return counted;
  if (auto swept = sweep_incoming(); !swept) return swept;
  if (was_repaired) {
    if (auto recovered = recover_places(); !recovered) return recovered;
  }
  const auto names = queues();
  return names ? Result<void>{} : tl::unexpected(beyond_repair_here(names.error()));
}

Result<void> Store::check_format() const {
  const auto format = read_meta("format");
  if (!format) return tl::unexpected(format.error());
  if (!*format || **format == kFormat || **format == kFormerFormat) return {};
  return tl::unexpected(Error{
    Errc::conflict, Fate::terminal,
    "the spool has format " + printable(**format, 20) + " and this program knows " + std::string(kFormat) +
      ": run the version that wrote it"
  });
}

/// A log whose damaged records were skipped may have lost the last count: what the ids themselves say counts
/// too, or new mail would overwrite mail that waits.
Result<void> Store::count_start(bool was_repaired) {
  auto spool = read_meta("spool");
  if (!spool) return tl::unexpected(spool.error());
  const auto starts = read_meta("starts");
  if (!starts) return tl::unexpected(starts.error());
  if (!*spool) *spool = big_endian(std::random_device{}(), 4);
  spool_ = static_cast<std::uint32_t>(parse_big_endian(**spool));
  const auto highest = highest_start(database_->open, spool_, was_repaired);
  if (!highest) return tl::unexpected(beyond_repair_here(highest.error()));
  const auto start = std::max(*starts ? parse_big_endian(**starts) : 0, *highest) + 1;
  if (start >> kStartBits != 0)
    return tl::unexpected(Error{Errc::conflict, Fate::terminal, "the spool has no ids left"});
  next_number_ = start << kSequenceBits;

  // These few are counters and identity, put again and again: written here and nowhere else.
  auto& db = *database_->open.db;
  rocksdb::WriteBatch batch;
  (void)batch.Put(database_->open.family(Family::meta), "format", std::string(kFormat));
  (void)batch.Put(database_->open.family(Family::meta), "spool", **spool);
  (void)batch.Put(database_->open.family(Family::meta), "starts", big_endian(start, 8));
  rocksdb::WriteOptions options;
  options.sync = true;
  if (const auto status = db.Write(options, &batch); !status.ok())
    return tl::unexpected(to_error(status, "count the start"));
  return {};
}

Result<void> Store::sweep_incoming() {
  std::vector<QueueId> unfinished;
  (void)for_each_key(database_->open, Family::incoming, "", [&](std::string_view key, std::string_view) {
    if (const auto id = parse_id_key(key)) unfinished.push_back(*id);
    return true;
  });
  for (const auto& id : unfinished) {
    Operations operations{remove(Family::incoming, id_key(id))};
    // A repair may bring `incoming` back and not its removal: with an envelope the message was accepted.
    const auto stored = envelope(id);
    if (!stored && stored.error().fate == Fate::transient) continue;  // the next start asks again
    const bool was_accepted = stored || stored.error().code != Errc::not_found;
    if (!was_accepted) {
      (void)for_each_key(
        database_->open, Family::content, id_key(id),
        [&](std::string_view key, std::string_view) {
          if (!key.starts_with(id_key(id))) return false;
          operations.push_back(remove(Family::content, std::string(key)));
          return true;
        }
      );
    }
    if (auto removed = write(operations, Sync::no); !removed) return removed;
  }
  return {};
}

Result<void> Store::recover_places() {
  const auto now = std::chrono::time_point_cast<milliseconds>(std::chrono::system_clock::now());
  const auto recovered = give_places(*this, database_->open, now);
  if (!recovered) return tl::unexpected(beyond_repair_here(recovered.error()));
  (void)unlink(walk_mark(options_.path).c_str());
  // A mark that came back would keep the next damage from its copy.
  sync_file(options_.path, O_RDONLY | O_DIRECTORY);
  if (options_.metrics != nullptr)
    options_.metrics->shard(0).add(metrics::Counter::spool_quarantined, recovered->quarantined);
  if (options_.log != nullptr) {
    options_.log->write(log::warning("spool_recovered")
                          .with("queued", recovered->queued)
                          .with("failed", recovered->failed)
                          .with("removed", recovered->removed)
                          .with("quarantined", recovered->quarantined)
                          .with("message", "messages that had lost their place in the queue by the damage"));
  }
  return {};
}

QueueId Store::next_id() { return {spool_, next_number_.fetch_add(1, std::memory_order_relaxed)}; }

// ---- writing ----

Result<void> Store::write(const Operations& operations, Sync sync) {
  rocksdb::WriteBatch batch;
  for (const auto& operation : operations) {
    auto* family = database_->open.family(operation.family);
    (void)(operation.kind == Operation::Kind::put ? batch.Put(family, operation.key, operation.value)
                                                  : batch.SingleDelete(family, operation.key));
  }
  rocksdb::WriteOptions options;
  options.sync = sync == Sync::yes;
  const auto status = database_->open.db->Write(options, &batch);
  if (!status.ok()) return tl::unexpected(beyond_repair_here(to_error(status, "write to the spool")));
  return {};
}

/// Whatever is not a full disk ends our use of the database. Damaged tables are left for the next start to
/// repair.
Error Store::beyond_repair_here(Error error) const {
  if (error.code == Errc::storage_full) return error;
  if (error.code == Errc::corrupt) leave_mark(options_.path, repair_mark(options_.path));
  return Error{Errc::storage_failed, Fate::terminal, std::move(error.context)};
}

/// Without the index nobody knows what is due: the next start rebuilds it.
Error Store::damaged_index(Error error) const {
  if (error.code == Errc::corrupt) leave_mark(options_.path, repair_mark(options_.path));
  return error;
}

Result<void> Store::resume_writing() {
  const auto status = database_->open.db->Resume();
  if (!status.ok()) return tl::unexpected(beyond_repair_here(to_error(status, "resume the spool")));
  return {};
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

// ---- reading ----

Result<std::optional<std::string>> Store::read_meta(const std::string& key) const {
  std::string value;
  const auto status = database_->open.db->Get({}, database_->open.family(Family::meta), key, &value);
  if (status.IsNotFound()) return std::nullopt;
  if (!status.ok()) return tl::unexpected(beyond_repair_here(to_error(status, "read " + key)));
  return value;
}

Result<std::string> Store::read_record(Family family, const std::string& key) const {
  std::string value;
  const auto status = database_->open.db->Get({}, database_->open.family(family), key, &value);
  if (!status.ok()) return tl::unexpected(to_read_error(status, "read " + std::string(name(family))));
  const auto payload = open_record(family, key, value);
  if (!payload) return tl::unexpected(payload.error());
  return std::string(*payload);
}

Result<StoredEnvelope> Store::envelope(const QueueId& id) const {
  return read_record(Family::envelope, id_key(id)).and_then([](const std::string& payload) {
    return parse_envelope(payload);
  });
}

Result<std::string> Store::chunk(const QueueId& id, std::uint32_t index) const {
  return read_record(Family::content, indexed_key(id, index));
}

Result<Failed> Store::failed(const QueueId& id) const {
  return read_record(Family::failed, id_key(id)).and_then([](const std::string& payload) {
    return parse_failed(payload);
  });
}

Result<Waiting> Store::place(Family family, const std::string& key) const {
  return read_record(family, key).and_then([](const std::string& payload) { return parse_waiting(payload); });
}

Result<std::string> Store::signature(const QueueId& id) const {
  return read_record(Family::signature, id_key(id));
}

Result<std::map<std::uint32_t, Settled>> Store::results(const QueueId& id) const {
  Result<std::map<std::uint32_t, Settled>> results{std::map<std::uint32_t, Settled>{}};
  const auto status = for_each_key(
    database_->open, Family::result, id_key(id),
    [&](std::string_view key, std::string_view value) {
      const auto parsed = parse_indexed_key(key);
      if (!parsed || parsed->first != id) return false;
      auto settled = open_record(Family::result, key, value).and_then([](std::string_view payload) {
        return parse_settled(payload);
      });
      if (settled) results->emplace(parsed->second, std::move(*settled));
      else results = tl::unexpected(settled.error());
      return results.has_value();
    }
  );
  if (!status.ok()) return tl::unexpected(to_read_error(status, "read results"));
  return results;
}

Result<std::vector<std::string>> Store::queues() const {
  std::vector<std::string> queues;
  std::string from;
  while (true) {
    std::optional<DueKey> found;
    const auto status =
      for_each_key(database_->open, Family::due, from, [&](std::string_view key, std::string_view) {
        found = parse_due_key(key);
        return !found;
      });
    if (!status.ok()) return tl::unexpected(damaged_index(to_read_error(status, "read the queues")));
    if (!found) return queues;
    queues.push_back(found->queue);
    from = behind_prefix(due_prefix(found->queue));
  }
}

Result<DuePage> Store::due(
  const std::string& queue, const std::optional<queue::ItemKey>& after, WallTime until, std::size_t limit
) const {
  DuePage page;
  const auto from = after ? due_key(queue, after->due, after->id) : due_prefix(queue);
  const auto status =
    for_each_key(database_->open, Family::due, from, [&](std::string_view raw, std::string_view value) {
      const auto key = parse_due_key(raw);
      if (!key || key->queue != queue) return false;
      if (after && key->due == after->due && key->id == after->id) return true;
      if (key->due > until || page.items.size() + page.damaged.size() >= limit) {
        page.next_due = key->due;
        return false;
      }
      page.through = {key->due, key->id};
      const auto waiting = open_record(Family::due, raw, value).and_then([](std::string_view payload) {
        return parse_waiting(payload);
      });
      if (waiting)
        page.items.push_back(
          {{key->due, key->id},
           waiting->arrival,
           waiting->attempts,
           waiting->size,
           waiting->at,
           waiting->sender_was_warned}
        );
      else page.damaged.push_back(key->id);
      return true;
    });
  if (!status.ok()) return tl::unexpected(damaged_index(to_read_error(status, "read the queue")));
  return page;
}

Usage Store::usage() const {
  Usage usage;
  std::set<QueueId> divided;  // messages with several places count once
  for (const auto family : {Family::due, Family::held}) {
    (void)for_each_key(database_->open, family, "", [&](std::string_view raw, std::string_view value) {
      const auto key = parse_due_key(raw);
      if (key && family == Family::due) ++usage.by_queue[key->queue];
      const auto waiting = open_record(family, raw, value).and_then([](std::string_view payload) {
        return parse_waiting(payload);
      });
      const bool is_divided = key && waiting && !waiting->share.empty();
      if (is_divided && !divided.insert(key->id).second) return true;
      ++usage.messages;
      usage.octets += waiting ? waiting->size : 0;
      return true;
    });
  }
  (void)for_each_key(database_->open, Family::failed, "", [&](std::string_view key, std::string_view value) {
    const auto failed = open_record(Family::failed, key, value).and_then([](std::string_view payload) {
      return parse_failed(payload);
    });
    ++usage.failed;
    usage.failed_octets += failed ? failed->size : 0;
    return true;
  });
  return usage;
}

Result<std::vector<WaitingMessage>> Store::list_places(
  Family family, const std::string& after, std::size_t limit
) const {
  std::vector<WaitingMessage> list;
  const auto status =
    for_each_key(database_->open, family, after, [&](std::string_view raw, std::string_view value) {
      const auto key = parse_due_key(raw);
      const auto waiting = open_record(family, raw, value).and_then([](std::string_view payload) {
        return parse_waiting(payload);
      });
      if (raw != after && key && waiting) list.push_back({*key, *waiting});
      return list.size() < limit;
    });
  if (!status.ok()) return tl::unexpected(damaged_index(to_read_error(status, "read the queue")));
  return list;
}

Result<std::vector<std::string>> Store::places_of(Family family, const QueueId& id, const std::string& queue)
  const {
  std::vector<std::string> keys;
  const auto prefix = queue.empty() ? std::string() : due_prefix(queue);
  const auto status =
    for_each_key(database_->open, family, prefix, [&](std::string_view raw, std::string_view) {
      if (!raw.starts_with(prefix)) return false;
      const auto key = parse_due_key(raw);
      if (key && key->id == id) keys.emplace_back(raw);
      return true;
    });
  if (!status.ok()) return tl::unexpected(damaged_index(to_read_error(status, "read the queue")));
  return keys;
}

Result<std::vector<std::pair<QueueId, Failed>>> Store::list_failed(
  const std::optional<QueueId>& after, std::size_t limit
) const {
  std::vector<std::pair<QueueId, Failed>> list;
  const auto status = for_each_key(
    database_->open, Family::failed, after ? id_key(*after) : "",
    [&](std::string_view raw, std::string_view value) {
      const auto id = parse_id_key(raw);
      const auto failed = open_record(Family::failed, raw, value).and_then([](std::string_view payload) {
        return parse_failed(payload);
      });
      if (id && failed && id != after) list.emplace_back(*id, *failed);
      return list.size() < limit;
    }
  );
  if (!status.ok()) return tl::unexpected(damaged_index(to_read_error(status, "read dead letters")));
  return list;
}

// ---- damage ----

namespace {

void set_aside(Family family, std::string_view key, std::string_view value, Operations& operations) {
  operations.push_back(
    put(Family::quarantine, std::string(name(family)) + '\0' + std::string(key), std::string(value))
  );
  operations.push_back(remove(family, std::string(key)));
}

}  // namespace

Result<Operations> Store::quarantine_unqueued(const QueueId& id) const {
  Operations operations;
  for (const auto family :
       {Family::envelope, Family::content, Family::result, Family::failed, Family::signature}) {
    const auto status =
      for_each_key(database_->open, family, id_key(id), [&](std::string_view key, std::string_view value) {
        if (!key.starts_with(id_key(id))) return false;
        set_aside(family, key, value, operations);
        return true;
      });
    if (status.ok() || status.IsCorruption()) continue;
    return tl::unexpected(to_read_error(status, "read a damaged message"));
  }
  return operations;
}

Result<Operations> Store::quarantine(const QueueId& id) const {
  auto operations = quarantine_unqueued(id);
  if (!operations) return operations;
  // The due key holds a time that nobody else knows: found by a search, which only damage pays for.
  for (const auto family : {Family::due, Family::held}) {
    const auto status =
      for_each_key(database_->open, family, "", [&](std::string_view key, std::string_view value) {
        const auto parsed = parse_due_key(key);
        if (parsed && parsed->id == id) set_aside(family, key, value, *operations);
        return true;
      });
    if (!status.ok()) return tl::unexpected(damaged_index(to_read_error(status, "read the queue")));
  }
  return operations;
}

}  // namespace relay::spool
