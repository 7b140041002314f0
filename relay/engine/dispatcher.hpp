#pragma once
/// The scheduler's thread: queue::Scheduler with its timer, its loads from disk and its starts on shards.

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "relay/engine/admission.hpp"
#include "relay/engine/settlement.hpp"
#include "relay/queue/scheduler.hpp"

namespace relay::engine {

/// What of a message is still in memory from its acceptance.
struct Fresh {
  spool::StoredEnvelope stored;
  std::shared_ptr<const std::string> content;
};

/// An attempt that a shard is to make.
struct Dispatched {
  Attempt attempt;
  std::shared_ptr<const std::string> content;  ///< null: read it from the spool
};

/// A message that the schedule has handed out.
struct InFlight {
  route::Destination destination;
  queue::Item item;
  std::size_t shard = queue::kNoShard;
};

/// Takes dispatched attempts on one shard. Called on the scheduler's thread; posts to its own.
class Shipper {
 public:
  virtual ~Shipper() = default;
  virtual void ship(
    const route::Destination& destination, std::vector<Dispatched> attempts, bool may_connect
  ) = 0;
};

/// All public methods may be called from any thread and return at once, unless they say otherwise.
class Dispatcher {
 public:
  Dispatcher(
    const Context& context, net::IoThread& thread, Admission& admission, queue::SchedulerLimits limits,
    Jitter& jitter
  );

  /// Before start(): where attempts of each shard go. Outlive the dispatcher.
  void set_shippers(std::vector<Shipper*> shippers) { shippers_ = std::move(shippers); }
  /// Begins with what the spool holds.
  void start(const std::vector<std::string>& destinations);

  void announce(const route::Destination& destination, const QueueId& id);
  void withdraw(const route::Destination& destination, const QueueId& id);
  void accepted(const route::Destination& destination, const queue::Item& item, Fresh fresh);
  /// The attempt is recorded in the spool. @param again  where the message waits now, if it does
  void finished(const Attempt& attempt, std::size_t shard, const std::optional<queue::Item>& again);
  void put_back(const Attempt& attempt, std::size_t shard);
  void connection_ready(const route::Destination& destination, std::size_t shard);
  void connection_closed(const route::Destination& destination, std::size_t shard);
  void hop_failed(const route::Destination& destination, std::string why);
  /// Tries the destination's mail at once: credentials or the hop changed.
  void resume(const route::Destination& destination);
  /// While paused nothing starts. Counted: as many resumes as pauses.
  void pause();
  void unpause();
  /// Settings changed.
  void reload();
  /// Something of a message in flight could not be read. When it is damaged or not there, the message is set
  /// aside for good; any other failure is the disk's or the process's: mail is refused for a while, and the
  /// message comes back to the queue in a moment.
  /// @param shard  kNoShard behind Expire
  void unreadable(const InFlight& message, const Error& error);

  /// What a person asks; `answer` is called on the scheduler's thread.
  void describe(std::function<void(std::vector<queue::DestinationState>, std::size_t in_flight)> answer);

 private:
  template <class Action>
  void on_thread(Action action);
  template <class Action>
  void in_a_moment(Action action);
  [[nodiscard]] queue::Now now() const;
  void plan();
  void set_timer();
  void stop_timer();
  void begin(queue::schedule_step::Start start);
  void begin(const queue::schedule_step::Load& load);
  void begin(const queue::schedule_step::Expire& expire);
  void ship_stored(
    route::Destination destination, std::size_t shard, std::vector<queue::Item> items, bool may_connect
  );
  void read_queue(const queue::schedule_step::Load& load);
  void index_unreadable(const Error& error);
  void expire_one(const route::Destination& destination, const queue::Item& item);
  void put_back(const InFlight& message);
  void conclude(const Attempt& attempt, std::size_t shard);
  void quarantine(const InFlight& message, const std::string& why);
  void set_aside(const InFlight& message);
  void quarantine_failed(const InFlight& message, const Error& error);
  void forget(const InFlight& message);

  Context context_;
  net::IoThread& thread_;
  Admission& admission_;
  queue::Scheduler scheduler_;
  net::asio::steady_timer timer_;
  std::optional<SteadyTime> armed_for_;  // set while a wait for timer_ is under way
  std::vector<Shipper*> shippers_;
  std::unordered_map<QueueId, Fresh, queue::QueueIdHash> fresh_;
  std::unordered_set<QueueId, queue::QueueIdHash> in_quarantine_;  // on their way there
  std::size_t pauses_ = 0;
  std::size_t connections_ = 0;  // that are ready
};

/// Reads what an attempt needs. Blocks for the spool: on a worker. Errors: corrupt or not_found (the message
/// is damaged); storage_failed, transient.
[[nodiscard]] Result<Attempt> load_attempt(
  const spool::Store& store, const route::Destination& destination, const queue::Item& item
);

}  // namespace relay::engine
