#pragma once
/// The scheduler's thread: queue::Scheduler with its timer, its loads from disk and its starts on shards.

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "relay/delivery/ports.hpp"
#include "relay/engine/admission.hpp"
#include "relay/engine/depths.hpp"
#include "relay/engine/settlement.hpp"
#include "relay/engine/shares.hpp"
#include "relay/net/mailbox.hpp"
#include "relay/net/task_group.hpp"
#include "relay/queue/scheduler.hpp"

namespace relay::engine {

/// An attempt that a shard is to make.
struct Dispatched {
  Attempt attempt;
  std::shared_ptr<const Chunks> content;  ///< null: read it from the spool
};

/// A message that the schedule has handed out.
struct InFlight {
  queue::QueueName queue;
  queue::Item item;
  std::size_t shard = queue::kNoShard;
};

/// Takes attempts on one shard. Called on any thread; posts to its own.
class Shipper {
 public:
  virtual ~Shipper() = default;
  virtual void ship(
    const route::Destination& destination, std::vector<Dispatched> attempts, std::size_t max_connections
  ) = 0;
  /// Settles an attempt that nobody makes, with this outcome; answered with kNoShard.
  virtual void settle(Attempt attempt, smtp::MessageOutcome outcome) = 0;
};

/// What a person wants done with a message that waits; while it is in flight, once it waits again.
enum class Wish : std::uint8_t { hold, drop };

/// All public methods may be called from any thread and return at once, unless they say otherwise.
class Dispatcher {
 public:
  Dispatcher(
    const Context& context, net::IoThread& thread, Admission& admission, delivery::ProviderSource& providers,
    const queue::SchedulerLimits& limits, Jitter& jitter
  );

  /// Before start(): where attempts of each shard go. Outlive the dispatcher.
  void set_shippers(std::vector<Shipper*> shippers) { shippers_ = std::move(shippers); }
  /// Before start(): fulfils wishes that were waited with. Called on a worker once the message is no longer in
  /// flight, with the place where it waits now; of one that is settled there, with the place that it had.
  void set_wish_handler(std::function<void(Wish, const Place&)> handler) { fulfil_ = std::move(handler); }
  /// Begins with what the spool holds.
  void start(const std::vector<std::string>& queues);

  /// Before the commit that makes the message visible on disk.
  void announce(const std::vector<Place>& places);
  void withdraw(const std::vector<Place>& places);
  void accepted(Accepted message);
  /// The attempt is recorded in the spool. @param again  where the message waits now, if it does
  void finished(const Attempt& attempt, std::size_t shard, const std::optional<queue::Item>& again);
  void put_back(const Attempt& attempt, std::size_t shard);
  /// It waits as it did, under another key: its sender was warned.
  void moved(const Attempt& attempt, const queue::Item& item);
  void judged(const route::Destination& destination);
  void connection_ready(const route::Destination& destination, std::size_t shard);
  void connection_closed(const route::Destination& destination, std::size_t shard);
  void hop_failed(const route::Destination& destination, std::string why);
  /// As Scheduler::hurry(), hurry_all() and renew_all().
  void hurry(const route::Destination& destination);
  void hurry_all();
  void renew_all();
  /// Nothing of it starts until then (nothing: until unsuspend()).
  void suspend(const route::Destination& destination, std::optional<milliseconds> duration);
  void unsuspend(const route::Destination& destination);
  /// While paused nothing starts. Counted: as many resumes as pauses.
  void pause();
  void unpause();
  /// Shapes and limits changed.
  void reload(const queue::SchedulerLimits& limits);
  /// Something of a message in flight could not be read. When it is damaged or not there, the message is set
  /// aside for good; any other failure is the disk's or the process's: mail is refused for a while, and the
  /// message comes back to the queue in a moment.
  /// @param shard  kNoShard behind Expire and Warn
  void unreadable(const InFlight& message, const Error& error);

  // ---- for people ----

  /// Takes messages that wait out of memory, so that their records may be changed: then answer with withdraw() or
  /// accepted(). `answer` is called on the scheduler's thread with the ones that are in flight: they stay, and the
  /// wish is fulfilled once they wait again.
  void take_out(
    std::vector<Place> places, std::optional<Wish> wish, std::function<void(std::vector<bool>)> answer
  );
  /// As Scheduler::has_work(), while outcomes can be recorded. Thread: the scheduler's.
  [[nodiscard]] bool has_work() const;
  /// As Scheduler::failing(), among smarthosts, without the prefix. Thread: the scheduler's.
  [[nodiscard]] std::string failing_smarthost() const;
  /// As Scheduler::served(), of smarthosts. Thread: the scheduler's.
  [[nodiscard]] std::vector<route::Destination> served_smarthosts() const;
  [[nodiscard]] Depths& depths() { return depths_; }
  /// Changes of one message's places follow one another by it.
  [[nodiscard]] Shares& shares() { return shares_; }
  /// @param limit  destinations at most
  void describe(
    std::size_t limit, std::function<void(std::vector<queue::DestinationState>, std::size_t in_flight)> answer
  );

 private:
  /// Until what could not be read or recorded is tried again.
  static constexpr std::chrono::seconds kMoment{2};

  void on_thread(net::Mailbox::Action action);
  void in_a_moment(net::Mailbox::Action action);
  [[nodiscard]] queue::Now now() const;
  [[nodiscard]] queue::Now now_or_at(WallTime chosen) const;
  void plan();
  void set_timer();
  void stop_timer();
  void begin(queue::schedule_step::Start start);
  void begin(const queue::schedule_step::Load& load);
  void begin(const queue::schedule_step::Expire& expire);
  void begin(const queue::schedule_step::Warn& warn);
  void begin(const queue::schedule_step::Resolve& resolve);
  struct KeptFresh {
    queue::QueueName queue;
    std::vector<std::uint32_t> share;
    Fresh fresh;
  };
  struct Task {  // a message that is to be read, or signed
    queue::Item item;
    std::optional<KeptFresh> fresh;
  };
  std::optional<KeptFresh> take_fresh(const queue::QueueName& queue, const QueueId& id);
  [[nodiscard]] static Dispatched fresh_attempt(
    const queue::QueueName& queue, const queue::Item& item, KeptFresh kept
  );
  [[nodiscard]] std::string provider_of(const route::Destination& destination) const;
  using Outcome = std::function<smtp::MessageOutcome(const Attempt&)>;
  void settle_untried(const queue::QueueName& queue, const std::vector<queue::Item>& items, Outcome outcome);
  void prepare(
    const queue::schedule_step::Start& start, std::vector<Task> tasks, const std::string& provider
  );
  net::Awaitable<void> resolve_provider(route::Destination destination);
  void forget_fresh(const queue::QueueName& queue, const QueueId& id) { (void)take_fresh(queue, id); }
  void read_queue(const queue::schedule_step::Load& load);
  void index_unreadable(const Error& error);
  void settle_one(
    const queue::QueueName& queue, const queue::Item& item, const std::string& provider,
    const Outcome& outcome
  );
  void put_back(const InFlight& message);
  void fulfil_wish(const Place& place);
  void conclude(const Attempt& attempt, std::size_t shard);
  void fulfil_wish(const QueueId& id);
  [[nodiscard]] bool may_start(const Attempt& attempt) const;
  [[nodiscard]] bool is_in_its_queue(const Attempt& attempt) const;
  void reroute(const Attempt& attempt, std::size_t shard);
  void move(const Attempt& attempt, std::size_t shard);
  [[nodiscard]] std::optional<Place> captured_place(
    const Attempt& attempt, const std::vector<std::uint32_t>& kept
  ) const;
  void note_captured(
    const Attempt& attempt, const std::vector<std::uint32_t>& kept, const policy::Guard& guard
  );
  void leave(const Attempt& attempt);
  void postpone(const Attempt& attempt, std::size_t shard);
  void quarantine(const InFlight& message, const std::string& why);
  void set_aside(const InFlight& message);
  void set_aside_now(InFlight message);
  void quarantine_failed(const InFlight& message, const Error& error);
  void forget(const InFlight& message);

  Context context_;
  net::IoThread& thread_;
  Admission& admission_;
  delivery::ProviderSource& providers_;
  net::TaskGroup tasks_;  // lookups of providers
  queue::Scheduler scheduler_;
  net::Mailbox mailbox_;
  net::Timer timer_;
  std::optional<SteadyTime> armed_for_;  // set while a wait for timer_ is under way
  std::vector<Shipper*> shippers_;
  std::function<void(Wish, const Place&)> fulfil_;
  std::unordered_multimap<QueueId, KeptFresh, queue::QueueIdHash> fresh_;
  std::unordered_map<QueueId, Wish, queue::QueueIdHash> wishes_;   // for messages in flight
  std::unordered_set<QueueId, queue::QueueIdHash> in_quarantine_;  // on their way there
  Depths depths_;
  Shares shares_;
  std::size_t pauses_ = 0;
  std::size_t connections_ = 0;  // that are ready
};

/// Whether the mode lets a recipient of an attempt out, by itself or since a person has released it.
[[nodiscard]] bool may_leave(const policy::Guard& guard, const Attempt& attempt, std::uint32_t recipient);
/// Whether it lets all pending ones out.
[[nodiscard]] bool may_leave(const policy::Guard& guard, const Attempt& attempt);

/// Reads what an attempt needs. Blocks for the spool: on a worker. Errors: corrupt or not_found (the message
/// is damaged); storage_failed, transient.
[[nodiscard]] Result<Attempt> load_attempt(
  const spool::Store& store, const queue::QueueName& queue, const queue::Item& item
);

}  // namespace relay::engine
