#pragma once
/// Which key is worked on next.

#include <map>
#include <optional>
#include <set>

#include "operator/kube/object.hpp"
#include "operator/runtime/token_bucket.hpp"

namespace op::runtime {

using kube::Key;

enum class Priority : std::uint8_t {
  prompt,      ///< something happened to it
  background,  ///< it is looked at as all others are
};

/// A key is in the queue once at most, however often it is added, and is never with two workers: what is added while a
/// worker has it comes again when that worker is done. Delayed keys come when their time has; of two delays of one key
/// the shorter counts. A failing key waits 5 ms, doubling to 1000 s, and no less than its turn in a bucket that all
/// failing keys share (10 a second, 100 at once). Semantics of client-go's workqueue.
///
/// Keys are taken in the order in which they came, but for those of Priority::background, which wait until there is no
/// other: an edit does not wait for a thousand objects that are looked at because the process has just begun to lead, nor
/// for those that come back behind more than a second.
///
/// Thread: one at a time.
class WorkQueue {
 public:
  /// A key that is there with the other priority has the more urgent of both, and then comes behind those before it.
  void add(const Key& key, SteadyTime now, Priority priority = Priority::prompt);
  /// Comes with Priority::background behind more than a second, whatever happens to the key meanwhile.
  void add_after(const Key& key, milliseconds delay, SteadyTime now);
  /// Adds a key that failed, behind its back-off.
  void retry(const Key& key, SteadyTime now);
  /// The key succeeded, or is no more: its next failure is its first.
  void forget(const Key& key) { failures_.erase(key); }

  struct Taken {
    Key key;
    milliseconds waited;  ///< since it could first have been taken
  };
  /// The next key, now with a worker until done(); nothing when none is due.
  [[nodiscard]] std::optional<Taken> take(SteadyTime now);
  void done(const Key& key, SteadyTime now);

  /// When take() will next have something without a further add(); nothing when never.
  [[nodiscard]] std::optional<SteadyTime> wake_at() const;
  /// Keys that could be taken now, delayed ones not counted.
  [[nodiscard]] std::size_t depth() const { return ready_.size(); }

 private:
  using Turn = std::pair<Priority, std::uint64_t>;  // and in the order in which they came
  struct Waiting {
    SteadyTime since;
    Turn turn;
  };
  void ripen(SteadyTime now);

  std::map<Turn, Key> ready_;
  std::map<Key, Waiting> waiting_;  // in the queue, or to be put into it when its worker is done
  std::uint64_t turns_ = 0;
  std::set<Key> active_;  // with a worker
  struct Delayed {
    SteadyTime due;
    Priority priority;
  };
  std::map<Key, Delayed> delayed_;
  std::set<std::pair<SteadyTime, Key>> delays_;  // the same, in order of time
  std::map<Key, unsigned> failures_;
  TokenBucket retries_{10, 100};
};

/// How long a key waits behind its `failures`-th failure in a row, at least 1.
[[nodiscard]] milliseconds failure_delay(unsigned failures);

}  // namespace op::runtime
