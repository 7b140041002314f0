#pragma once
/// The database behind the spool: opening, repairing, reading, and one atomic write at a time.

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "relay/base/log.hpp"
#include "relay/metrics/counters.hpp"
#include "relay/queue/item.hpp"
#include "relay/spool/record.hpp"

namespace rocksdb {
class ColumnFamilyHandle;
class DB;
class Iterator;
class Status;
}  // namespace rocksdb

namespace relay::spool {

/// One change of a batch. Keys are put once and removed once (docs/spool.md).
struct Operation {
  enum class Kind : std::uint8_t { put, remove } kind = Kind::put;
  Family family = Family::meta;
  std::string key;
  std::string value;  ///< of put, sealed where the family holds records
};
using Operations = std::vector<Operation>;
/// Operations of others, which live until they are written. Those of one key are applied in this order.
using Batch = std::vector<const Operation*>;
[[nodiscard]] Operation put(Family family, std::string key, std::string value);
/// put() of a sealed payload.
[[nodiscard]] Operation put_record(Family family, std::string key, std::string_view payload);
[[nodiscard]] Operation remove(Family family, std::string key);

/// When what is written reaches the disk: with the next sync that another asks for, within a moment, or before its writer
/// is answered. The store syncs for `yes` alone; its writer sees to `soon`. What is written outlives the process in any
/// case.
enum class Sync : std::uint8_t { no, soon, yes };

/// What waits at start, or is listed.
struct WaitingMessage {
  DueKey key;
  Waiting waiting;
};

struct DuePage {
  std::vector<queue::Item> items;
  std::optional<WallTime> next_due;       ///< of the first key that was not read
  std::vector<QueueId> damaged;           ///< their records did not verify: quarantine() them
  std::optional<queue::ItemKey> through;  ///< the last key that was read, damaged or not
};

struct Usage {
  std::uint64_t messages = 0;                     ///< that wait
  std::uint64_t octets = 0;                       ///< of their content
  std::uint64_t failed = 0;                       ///< messages kept because recipients failed
  std::uint64_t failed_octets = 0;                ///< of their content
  std::map<std::string, std::uint64_t> by_queue;  ///< messages of each queue, held ones not counted
};

struct OpenOptions {
  std::string path;
  /// Called while the spool can't be opened but may be later, since another process holds it (conflict) or its disk is full
  /// or no descriptor left (storage_full): waits about a second and says whether to try again.
  std::function<bool(const Error& why)> keep_waiting;
  log::Sink* log = nullptr;              ///< outlives the store
  metrics::Registry* metrics = nullptr;  ///< outlives the store
};

/// Threads: write() and resume_writing() belong to the committer; all else may be called from any thread but
/// blocks for disk reads, so never on a shard.
class Store {
 public:
  /// Opens or makes the spool, repairs it when RocksDB says Corruption (docs/spool.md, "Starting"), counts
  /// the start, sweeps chunks without an envelope, and gives messages that lost their place in the queue by
  /// a repair a new one. Errors: Errc::cancelled when `keep_waiting` gave up; storage_failed, also when the names of
  /// the queues can't be read (mail of those that were missed would wait unseen); corrupt.
  [[nodiscard]] static Result<std::unique_ptr<Store>> open(OpenOptions options);
  ~Store();
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  /// A queue id that no message of this spool had or will have. Thread: any, never blocks.
  [[nodiscard]] QueueId next_id();

  /// All of it or nothing. With Sync::yes, this and everything written before is on stable storage when it
  /// returns.
  /// Errors: storage_full (transient: call resume_writing() once there is space); storage_failed (terminal)
  /// for all else.
  [[nodiscard]] Result<void> write(const Operations& operations, Sync sync);
  [[nodiscard]] Result<void> write_batch(Batch batch, Sync sync);
  /// Behind storage_full: makes the database writable again. Errors as write(); storage_full is terminal when no
  /// space makes this instance write again, and a restart does.
  [[nodiscard]] Result<void> resume_writing();

  /// Octets of table files and logs on disk: more than what is stored, since deleted mail gives its space
  /// back later.
  [[nodiscard]] std::uint64_t disk_octets() const;
  /// Gives space of deleted mail back now: rewrites what is left. Thread: any, one at a time; may take long.
  void reclaim();
  /// Ends a reclaim() that is under way, and each later one at once: the process stops. Thread: any.
  void stop_reclaiming() { is_reclaiming_stopped_ = true; }

  /// Errors of the readers: not_found; corrupt, when the record or the table block that holds it does not
  /// verify; storage_failed (transient), when it could not be read (EIO, EMFILE): that says nothing of it.
  [[nodiscard]] Result<StoredEnvelope> envelope(const QueueId& id) const;
  [[nodiscard]] Result<std::string> chunk(const QueueId& id, std::uint32_t index) const;
  [[nodiscard]] Result<std::map<std::uint32_t, Settled>> results(const QueueId& id) const;
  [[nodiscard]] Result<Failed> failed(const QueueId& id) const;
  /// A message's place: what stands under a key of `due` or `held`.
  [[nodiscard]] Result<Waiting> place(Family family, const std::string& key) const;
  /// Header fields that were signed at the first attempt, when that did not settle all. Errors: as above.
  [[nodiscard]] Result<std::string> signature(const QueueId& id) const;

  /// Names of queues with waiting mail. Errors: as due(): mail of a queue that was missed would wait unseen.
  [[nodiscard]] Result<std::vector<std::string>> queues() const;
  /// Waiting messages of a queue behind `after`, due up to `until`, at most `limit`. Errors: corrupt
  /// when the index itself is damaged: the spool is marked then and repaired at the next start;
  /// storage_failed (transient).
  [[nodiscard]] Result<DuePage> due(
    const std::string& queue, const std::optional<queue::ItemKey>& after, WallTime until, std::size_t limit
  ) const;
  /// Counts all that waits. Reads every queue entry: for the start.
  [[nodiscard]] Usage usage() const;
  /// Up to `limit` places in `due` or `held` in key order behind the key `after` (empty: from the start). Errors: as
  /// due(): a list that ends early would look whole.
  [[nodiscard]] Result<std::vector<WaitingMessage>> list_places(
    Family family, const std::string& after, std::size_t limit
  ) const;
  /// The keys of all places of one message in `due` or `held`. Reads the whole of it, unless `queue` names where
  /// to look. Errors: as due().
  [[nodiscard]] Result<std::vector<std::string>> places_of(
    Family family, const QueueId& id, const std::string& queue = {}
  ) const;
  /// Up to `limit` dead letters behind `after`. Errors: as list_places().
  [[nodiscard]] Result<std::vector<std::pair<QueueId, Failed>>> list_failed(
    const std::optional<QueueId>& after, std::size_t limit
  ) const;

  /// The batch that sets a damaged message aside: its raw values to `quarantine`, its keys removed; empty
  /// when nothing of it is left. Values in a table block that does not verify stay where they are: nobody
  /// can read them. Errors: as due().
  [[nodiscard]] Result<Operations> quarantine(const QueueId& id) const;
  /// The same for a message that has no place in the queue.
  [[nodiscard]] Result<Operations> quarantine_unqueued(const QueueId& id) const;

 private:
  struct Database;
  Store(OpenOptions options, std::unique_ptr<Database> database);
  [[nodiscard]] Result<void> begin();
  [[nodiscard]] Result<void> check_format() const;
  [[nodiscard]] Result<void> count_start(bool was_repaired);
  [[nodiscard]] Result<void> sweep_incoming();
  [[nodiscard]] Result<void> recover_places();
  [[nodiscard]] Result<std::optional<std::string>> read_meta(const std::string& key) const;
  [[nodiscard]] Result<std::string> read_record(Family family, const std::string& key) const;
  void keep_a_memtable();
  [[nodiscard]] Error beyond_repair_here(Error error) const;
  [[nodiscard]] Error damaged_index(Error error) const;

  OpenOptions options_;
  std::unique_ptr<Database> database_;
  std::uint32_t spool_ = 0;
  std::atomic<std::uint64_t> next_number_{0};
  std::atomic<bool> is_reclaiming_stopped_{false};
};

}  // namespace relay::spool
