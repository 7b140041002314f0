#pragma once
/// One queue of a destination: all of it on disk, the part that is due soonest also in memory.

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "relay/queue/item.hpp"

namespace relay::queue {

/// Messages of one queue held in memory at most, those in flight and those of one commit not counted.
inline constexpr std::size_t kWindow = 1000;
/// What is late and read from disk of one queue: so many at once, the next when all of these are done with.
inline constexpr std::size_t kLateAtOnce = 200;

/// Where a message is, as far as a person who asks for it is concerned.
enum class Whereabouts { memory, flight, disk };

/// Keeps apart what is in memory and what is only on disk by one bound: every message on disk with a key up
/// to `loaded_through` is in memory or in flight. Commits and loads run on other threads, so what they report
/// may cross:
/// - announce() comes before a commit makes a message visible on disk, admit() or withdraw() after it, so a
///   load that already sees the message does not take it a second time;
/// - a message that finished, was withdrawn or got another key while a load ran is not taken from that load's
///   result.
///
/// How much it may hold is decided anew each time (`limit`): it is filled from disk again when half of that is
/// left.
///
/// What is late, and its sender not warned, is found in the windows by its age and on disk by its due time, since none
/// is due before it arrived. The disk is read once for that, from where the last reading ended: a message is met there
/// when it has been due for as long as makes it late. One that was deferred shortly before it was late, and is not in
/// the windows, is therefore found as much later as it was deferred.
///
/// Input and output are values; the owner does the reading and writing. Thread: one at a time.
class Backlog {
 public:
  enum class OnDisk { unknown, nothing };

  /// @param longest_wait  a due time further ahead than this comes from a clock that was set back: due at
  ///                      once
  explicit Backlog(milliseconds longest_wait, OnDisk on_disk = OnDisk::unknown)
      : longest_wait_(longest_wait), has_more_(on_disk == OnDisk::unknown) {
    if (has_more_) unmet_due_ = WallTime::min();
  }

  /// A longer `longest_wait`. It never becomes shorter: due times by the old one are on disk.
  void allow_waits_of(milliseconds longest_wait) { longest_wait_ = std::max(longest_wait_, longest_wait); }

  void announce(const QueueId& id) { announced_.insert(id); }
  void withdraw(const QueueId& id);
  /// The message is on disk under this key: newly accepted, or deferred (then finish() came before). True
  /// when it is in the window now, false when it will be read from disk in its time.
  bool admit(const Item& item, WallTime now, std::size_t limit = kWindow);

  struct Load {
    std::optional<ItemKey> after;  ///< read keys behind this one,
    WallTime until;                ///< due up to this time,
    std::size_t limit;             ///< and no more than this many
  };
  /// Something changed at `now` that may make a difference to what was deferred: all that was scheduled
  /// before is due at once, one attempt each. It is read from disk in passing, a part at a time, by a bound of
  /// its own; what is deferred from now on keeps its due time.
  void hurry(WallTime now);
  /// One message is due at once. When it is neither in memory nor in flight it is announced: the owner gives it
  /// another key on disk and calls admit(), with the old key when that failed, or withdraw() when it is not there.
  Whereabouts hurry_one(const QueueId& id);
  /// One message is to go, or to be held, by a person's will. True: it is in flight, or a commit of it is under
  /// way, and all stays as it is.
  /// Otherwise it is out of memory and announced: withdraw() when it is gone from disk, admit() when it is not.
  bool forget(const QueueId& id);

  /// What to read from disk now. While one is under way there is no other; answer it with loaded().
  /// @param room  no more than this many; one all the same when nothing waits in memory
  [[nodiscard]] std::optional<Load> want_load(
    WallTime now, std::size_t limit = kWindow, std::size_t room = kWindow
  );
  /// @param next_due  the due time of the first key that was not read, if there is one
  void loaded(const std::vector<Item>& items, std::optional<WallTime> next_due);
  /// Leaves all but the `keep` that are due soonest to the disk; nothing while a load is under way.
  /// @param keep  at least 1
  void shed(std::size_t keep);

  [[nodiscard]] bool has_due(WallTime now) const {
    return !hurried_.empty() || (!window_.empty() && is_due(window_.begin()->first.due, now));
  }
  /// The message that is due soonest, now in flight; nothing when none is due.
  [[nodiscard]] std::optional<Item> take(WallTime now);
  /// All in the window that arrived before `oldest`, now in flight.
  [[nodiscard]] std::vector<Item> take_older_than(WallTime oldest);
  /// From flight back to waiting: it was not tried.
  void put_back(const QueueId& id);
  /// From flight, gone: its record on disk is deleted or has another key.
  void finish(const QueueId& id);

  // ---- what is late ----

  /// Begins to look for what arrived up to `until` and whose sender was not warned: in the windows at once, on disk by
  /// what want_late() asks for. take_late() gives what is found.
  void look_for_late(WallTime until);
  /// No message that waits and whose sender was not warned arrived before, as far as is known. Nothing while something
  /// late is in flight: one lot after the other.
  [[nodiscard]] std::optional<WallTime> oldest_unwarned() const;
  /// As want_load(); nothing while something late is in flight.
  [[nodiscard]] std::optional<Load> want_late();
  /// Whether want_late() has something.
  [[nodiscard]] bool wants_late() const;
  /// Now in flight, whatever their due times. Each is answered by moved(), put_back() or finish().
  [[nodiscard]] std::vector<Item> take_late() { return std::exchange(late_, {}); }
  /// From flight back to waiting, under another key: it was not tried. Returns as admit().
  bool moved(const Item& item, WallTime now, std::size_t limit = kWindow);

  /// When take() or want_load() will next have something, as far as is known; not earlier than `now`.
  [[nodiscard]] std::optional<WallTime> next_due(WallTime now, std::size_t limit = kWindow) const;
  [[nodiscard]] std::size_t waiting() const { return window_.size() + hurried_.size(); }
  /// With what a load that is under way may bring.
  [[nodiscard]] std::size_t reserved() const { return waiting() + (loading_until_ ? loading_limit_ : 0); }
  [[nodiscard]] std::size_t in_flight() const { return in_flight_.size(); }
  /// Something is being committed or read that may be due.
  [[nodiscard]] bool is_coming() const {
    return !announced_.empty() || (loading_until_ && loading_limit_ > 0);
  }
  /// Nothing in memory arrived before it; of what waits only.
  [[nodiscard]] std::optional<WallTime> oldest_arrival() const {
    return waiting() > 0 ? oldest_arrival_ : std::nullopt;
  }
  /// Nothing waits, is in flight, is being committed or read, nor is on disk.
  [[nodiscard]] bool is_empty() const;

 private:
  [[nodiscard]] bool is_due(WallTime due, WallTime now) const {
    return due <= now || due - now > longest_wait_;
  }
  [[nodiscard]] static bool is_low(std::size_t held, std::size_t limit) { return held <= limit / 2; }
  [[nodiscard]] bool is_known(const QueueId& id) const;
  /// What a load is for.
  enum class Purpose : std::uint8_t { window, hurried, late };
  struct Flight {
    Item item;
    bool is_hurried = false;
    bool is_late = false;
  };
  bool hold(const Item& item);
  void hold_hurried(const Item& item);
  void note_arrival(const Item& item);
  std::optional<Item> drop(const QueueId& id);
  void hurried(const std::vector<Item>& items, std::optional<WallTime> next_due);
  void late(const std::vector<Item>& items, std::optional<WallTime> next_due);
  void end_load();
  Item fly(Item item, bool is_hurried);
  void fly_late(const Item& item);
  template <class Test>
  [[nodiscard]] std::vector<Item> in_windows(Test is_wanted) const;

  milliseconds longest_wait_;
  std::map<ItemKey, Item> window_;
  std::map<ItemKey, Item> hurried_;                              // due at once, whatever their keys say
  std::unordered_map<QueueId, ItemKey, QueueIdHash> in_window_;  // or in hurried_
  std::unordered_map<QueueId, Flight, QueueIdHash> in_flight_;
  std::unordered_set<QueueId, QueueIdHash> announced_;
  std::optional<WallTime> oldest_arrival_;   // exact behind take_older_than(), else a lower bound
  std::optional<WallTime> oldest_unwarned_;  // in the windows; exact behind look_for_late(), as above else
  std::optional<ItemKey> loaded_through_;
  bool has_more_;  // the disk holds due messages behind loaded_through_, as far as is known
  std::optional<WallTime> next_on_disk_;   // no message that is only on disk is due before this
  std::optional<WallTime> loading_until_;  // set while a load is under way
  Purpose loading_for_ = Purpose::window;
  std::size_t loading_limit_ = 0;  // of what will wait in memory
  std::unordered_set<QueueId, QueueIdHash>
    changed_while_loading_;                 // what a load under way says of them is old
  std::optional<WallTime> hurrying_since_;  // set until the disk was read to its end
  std::optional<ItemKey> hurried_through_;  // how far it was
  bool hurries_again_ = false;              // hurry() came while it was under way
  std::optional<WallTime> late_until_;      // set while the disk is to be read for what is late
  std::optional<ItemKey> late_through_;     // how far it was
  std::optional<WallTime> unmet_due_;  // none that is on disk behind it, its sender not warned, is due before
  std::vector<Item> late_;             // found and in flight, to be taken
  std::size_t late_in_flight_ = 0;
};

}  // namespace relay::queue
