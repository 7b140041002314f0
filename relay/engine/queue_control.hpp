#pragma once
/// What a person does to messages that wait: hold, release, retry, delete.

#include <deque>
#include <functional>
#include <mutex>
#include <set>
#include <unordered_map>

#include "relay/engine/dispatcher.hpp"
#include "relay/engine/queue_walk.hpp"
#include "relay/engine/reports.hpp"

namespace relay::engine {

enum class QueueAction : std::uint8_t {
  hold,  ///< of what waits: it is not tried, and grows no older than it may, until released
  release,  ///< of what is held: it waits again, due at once. Of a dead letter that is named by id, place or state:
            ///< its failed recipients are tried anew, as if it had come now
  retry,   ///< of what waits: due at once. The hop's own backoff stays
  remove,  ///< the whole message, wherever its recipients wait; a dead letter too
};

/// One step of a change to many messages.
struct Change {
  QueueAction action = QueueAction::hold;
  Selection selection;
  std::vector<std::string> places;  ///< instead of a selection: as listings name them, at most 1,000
  std::string cursor;               ///< `next` of the step before
  std::size_t limit = 500;          ///< places at most, 1 to 1,000
  std::string by = "administrator";
  std::string reason;
  bool is_reported = false;  ///< remove: senders get a report, as of a failure with 550 5.7.0
};

struct Changed {
  std::size_t changed = 0;
  /// In flight: hold and remove come about once they wait again, if they do; release and retry change nothing.
  std::size_t in_flight = 0;
  std::size_t unchanged = 0;  ///< gone meanwhile, or damaged
  std::string next;           ///< empty: that was all
};

/// Each change is one synced batch (docs/spool.md); changes run one after the other, so that no place is taken
/// twice. A message is out of the schedule's memory before its records change, so that none is sent which has been
/// held or deleted. Each message that is held, released or deleted is one log record, with who and why: a deletion
/// ends custody.
///
/// Thread: any. Lifetime: owned by the engine, destroyed behind its workers and its committer.
class QueueControl {
 public:
  using Answer = std::function<void(Result<Changed>)>;

  /// References outlive it. Takes the dispatcher's wishes: make it before the dispatcher starts.
  QueueControl(const Context& context, Dispatcher& dispatcher, Admission& admission, Reports& reports);

  /// @param answer  called once, on the committer's thread or a worker; must not block
  /// Errors: invalid_argument; storage_failed, storage_full: nothing was changed in this step.
  void change(Change change, Answer answer);
  /// Changes that wait or are under way.
  [[nodiscard]] std::size_t pending() const;

 private:
  struct Target {  // what changes as one: a place, or for remove a message
    QueueId id;
    std::vector<Standing> standings;
  };
  struct Step;
  class Batch;
  using Shared = std::shared_ptr<Step>;

  void enter(std::function<void()> work);
  void leave();
  void finish(const Shared& step, Result<Changed> result);

  void find(const Shared& step);
  [[nodiscard]] Result<void> gather(Step& step) const;
  [[nodiscard]] Result<std::vector<Standing>> named(const Step& step) const;
  [[nodiscard]] Result<std::vector<Standing>> of_one(const Step& step) const;
  void add_targets(Step& step, std::vector<Standing> found) const;
  void complete(Target& target) const;
  void take(const Shared& step);
  void apply(const Shared& step, const std::vector<bool>& are_in_flight);
  void fulfil(Wish wish, const Place& place);
  void remember(const Step& step);
  void forget_all_but(const std::set<QueueId>& busy, const Step& step);

  Context context_;
  Dispatcher& dispatcher_;
  Admission& admission_;
  Reports& reports_;
  mutable std::mutex mutex_;
  std::deque<std::function<void()>> waiting_;  // under mutex_; the first is under way
  // How messages in flight are to be changed once they wait again. Under mutex_.
  std::unordered_map<QueueId, Change, queue::QueueIdHash> wanted_;
};

}  // namespace relay::engine
