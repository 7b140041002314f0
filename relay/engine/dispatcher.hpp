#pragma once
/// The scheduler's thread: queue::Scheduler with its timer, its loads from disk and its starts on shards.

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <unordered_map>
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
  /// A message is damaged: set it aside.
  /// @param size  octets of its content, 0 when nobody knows
  void quarantine(
    const route::Destination& destination, const QueueId& id, std::uint64_t size, std::size_t shard,
    const std::string& why
  );

  /// What a person asks; `answer` is called on the scheduler's thread.
  void describe(std::function<void(std::vector<queue::DestinationState>, std::size_t in_flight)> answer);

 private:
  template <class Action>
  void on_thread(Action action);
  [[nodiscard]] queue::Now now() const;
  void plan();
  void set_timer();
  void begin(queue::schedule_step::Start start);
  void begin(const queue::schedule_step::Load& load);
  void begin(const queue::schedule_step::Expire& expire);
  void ship_stored(
    route::Destination destination, std::size_t shard, std::vector<queue::Item> items, bool may_connect
  );
  void expire_one(const route::Destination& destination, const queue::Item& item);

  Context context_;
  net::IoThread& thread_;
  Admission& admission_;
  Jitter& jitter_;
  queue::Scheduler scheduler_;
  net::asio::steady_timer timer_;
  std::vector<Shipper*> shippers_;
  std::unordered_map<QueueId, Fresh, queue::QueueIdHash> fresh_;
  std::size_t pauses_ = 0;
};

/// Reads what an attempt needs. Blocks for the spool: on a worker. Errors: corrupt or not_found (the message
/// is damaged).
[[nodiscard]] Result<Attempt> load_attempt(
  const spool::Store& store, const route::Destination& destination, const queue::Item& item
);

}  // namespace relay::engine
