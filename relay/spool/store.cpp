#include "relay/spool/store.hpp"

#include <random>
#include <rocksdb/write_batch.h>

#include "relay/base/text.hpp"
#include "relay/spool/manifest.hpp"
#include "relay/spool/marks.hpp"
#include "relay/spool/opening.hpp"
#include "relay/spool/recovery.hpp"
#include "relay/spool/store_database.hpp"

namespace relay::spool {
namespace {

constexpr std::string_view kFormat = "2";
/// Read as it is: places without a share are for all recipients.
constexpr std::string_view kFormerFormat = "1";
constexpr unsigned kStartBits = 24;

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
  note_manifest(options_.path);
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
  remove_mark(walk_mark(options_.path));
  // A mark that came back would keep the next damage from its copy.
  sync_folder(options_.path);
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

}  // namespace relay::spool
