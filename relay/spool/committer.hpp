#pragma once
/// One thread that writes for everyone: takes all that waits, writes one batch, syncs once, answers all.

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "relay/metrics/counters.hpp"
#include "relay/spool/store.hpp"

namespace relay::spool {

/// Sync::soon. Under load others' syncs come sooner, and one for each delivery would be most of them.
inline constexpr std::chrono::milliseconds kSoon{5};

/// Whether syncs are done: config::Durability as this module sees it.
enum class Durable : std::uint8_t { yes, no };

struct Commit {
  Operations operations;
  Sync sync = Sync::yes;
  /// Called once on the committer's thread; must not block and must not throw: post to where you belong.
  std::function<void(Result<void>)> done;
};

/// Group commit (docs/spool.md). Commits are applied in the order of submit(). A batch that meets
/// storage_full fails as a whole, and writing resumes by itself once there is space; behind storage_failed, and a
/// storage_full that is terminal, every commit fails until restart.
///
/// Lifetime: `store` and `counters` outlive it, and whatever `done` refers to outlives stop().
class Committer {
 public:
  Committer(Store& store, Durable durable, metrics::Shard& counters);
  ~Committer();
  Committer(const Committer&) = delete;
  Committer& operator=(const Committer&) = delete;

  /// Thread: any; never blocks for disk. Behind stop() nothing is written and nobody answered.
  void submit(Commit commit);
  /// Writes what waits, answers everyone, syncs, and ends the thread. Idempotent. Thread: its owner's.
  void stop();

  /// Why nothing can be written; nothing while all is well. Thread: any.
  [[nodiscard]] std::optional<Error> failure() const;
  /// Whether nothing will be written until restart. Thread: any, never blocks.
  [[nodiscard]] bool has_failed_for_good() const { return has_failed_for_good_; }
  /// Makes the committer try again to write, when it waits for space.
  void nudge();
  /// How long the write under way has lasted; zero when there is none. A disk that hangs shows here. Thread:
  /// any.
  [[nodiscard]] std::chrono::steady_clock::duration busy_for() const;

 private:
  void run();
  /// @return  what is to be written; nothing: a sync is due, or the end has come
  [[nodiscard]] std::vector<Commit> next();
  void serve(std::vector<Commit>& commits);
  void sync();
  [[nodiscard]] Result<void> write(const std::vector<Commit>& commits);
  [[nodiscard]] bool is_sync_due() const;
  void note_failure(const Error& error);

  Store& store_;
  Durable durable_;
  metrics::Shard& counters_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<Commit> waiting_;   // under mutex_
  bool is_stopping_ = false;      // under mutex_
  std::optional<Error> failure_;  // under mutex_
  std::atomic<bool> has_failed_for_good_{false};
  // The committer's own.
  bool has_unsynced_ = false;
  std::optional<std::chrono::steady_clock::time_point> sync_due_;  // of what is to be synced soon
  std::atomic<std::chrono::steady_clock::rep> busy_since_{0};
  std::thread thread_;
};

}  // namespace relay::spool
