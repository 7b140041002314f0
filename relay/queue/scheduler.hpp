#pragma once
/// Which message starts when, on which shard. Events come in by the methods below, plan() says what to do.

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_set>
#include <vector>

#include "relay/queue/destination_queue.hpp"
#include "relay/queue/provider.hpp"
#include "relay/queue/schedule_step.hpp"
#include "relay/queue/shape.hpp"

namespace relay::queue {

/// All at least 1.
struct SchedulerLimits {
  std::size_t shards = 1;
  std::size_t max_in_flight = 5000;          ///< messages, over all destinations
  std::size_t max_connections_total = 2000;  ///< over all destinations, idle ones included
  /// Messages waiting in memory, over all destinations (some 200 octets each). Beyond it one of each queue that has
  /// none there.
  std::size_t max_in_memory = 50'000;
};

/// What a person asks about one destination.
struct DestinationState {
  Destination destination;
  std::array<std::size_t, kLanes.size()> waiting_in_memory{};  ///< by lane
  std::size_t in_flight = 0;                                   ///< over both lanes
  std::size_t connections_ready = 0;
  std::size_t concurrency_window = 0;         ///< connections it may have when nothing is the matter
  std::optional<SteadyTime> suspended_until;  ///< its hop failed
  bool is_suspended = false;                  ///< by a person
  std::string last_failure;
  std::string provider;                    ///< empty: none, or not known
  std::optional<WallTime> next_due;        ///< that is known; may have passed
  std::optional<WallTime> oldest_arrival;  ///< nothing that waits in memory is older
};

/// Takes turns between destinations that have due mail, within the limits of each, of its provider, and of all.
///
/// plan() looks at destinations that something happened to or whose time has come, and at no others. A destination
/// takes up some 1.2 KiB, its name and what waits in memory not counted, and 0.5 KiB more when both lanes are in use;
/// it is dropped when nothing of it is in memory, in flight or on disk, nor anything remembered that would be missed.
///
/// A queue that is not known has nothing on disk: what is there at start is named by add() before anything else.
///
/// Call plan() behind each event, or behind several. Thread: one at a time. Lifetime: `shapes` and `jitter` outlive
/// the scheduler.
class Scheduler {
 public:
  Scheduler(SchedulerLimits limits, const ShapeSource& shapes, Jitter& jitter);

  // ---- what is on disk ----

  /// Mail of this queue may be on disk; known queues are left as they are.
  void add(const QueueName& name);
  void announce(const QueueName& name, const QueueId& id);
  void withdraw(const QueueName& name, const QueueId& id);
  /// As Backlog::admit.
  bool admit(const QueueName& name, const Item& item, const Now& now);
  void loaded(const QueueName& name, const std::vector<Item>& items, std::optional<WallTime> next_due);

  // ---- messages in flight ----

  /// @param shard  the one that Start named; kNoShard behind Expire and Warn
  void finished(const QueueName& name, const QueueId& id, std::size_t shard);
  void put_back(const QueueName& name, const QueueId& id, std::size_t shard);
  /// As Backlog::moved.
  bool moved(const QueueName& name, const Item& item, const Now& now);
  /// It stays in flight and counts no more to what may be in flight: something of ours is in its way, and
  /// others need not wait for that. Then answer with kNoShard.
  void release(const Destination& destination, std::size_t shard);

  // ---- next hops ----

  /// The hop replied to a message of its own (MAIL, RCPT, DATA, end of data), whatever it said: as soon as that is
  /// known, and before finished().
  void judged(const Destination& destination);
  void connection_ready(const Destination& destination, std::size_t shard);
  /// Before hop_failed(), when both are the case. Only of a connection that was ready.
  void connection_closed(const Destination& destination, std::size_t shard);
  void hop_failed(const Destination& destination, std::string why, const Now& now);
  /// Answers Resolve. While it is not valid any more it counts on, until it is answered anew.
  /// @param provider  empty: none, or it could not be found out
  void resolved(const Destination& destination, const std::string& provider, SteadyTime valid_until);

  // ---- people ----

  /// All shapes may have changed; in force at once, also for what waits already. Takes as long as there are
  /// destinations.
  void reload();
  /// As reload(), for limits of all. `shards` stays what it was.
  void set_limits(const SchedulerLimits& limits);
  /// A person asks for it: ends the suspension of the hop, and all that was deferred before is due at once. A person's
  /// suspension stays, and where the hop fails again its waits grow on.
  void hurry(const Destination& destination, const Now& now);
  /// The same for all destinations. Takes as long as there are some.
  void hurry_all(const Now& now);
  /// As hurry_all(), where hops or their credentials changed: how often they failed before says nothing any more.
  void renew_all(const Now& now);
  /// As Backlog::hurry_one. Of a queue that is not known: Whereabouts::disk, and it is announced.
  Whereabouts hurry_one(const QueueName& name, const QueueId& id);
  /// As Backlog::forget.
  bool forget(const QueueName& name, const QueueId& id);
  /// Nothing of this destination starts until then, or until unsuspend(). Its mail grows older all the same. Kept in
  /// memory only: a restart forgets it.
  void suspend(const Destination& destination, std::optional<SteadyTime> until);
  void unsuspend(const Destination& destination);
  /// While paused nothing starts at all; those in flight end as they do.
  void pause(bool is_paused) { is_paused_ = is_paused; }

  // ---- what to do ----

  [[nodiscard]] std::vector<ScheduleStep> plan(const Now& now);
  /// When plan() has something new without any event before. Asked behind plan().
  [[nodiscard]] std::optional<SteadyTime> wake_at(const Now& now) const;

  // ---- what is going on ----

  /// Whether a message is in flight, due, being read or being committed, whose destination is neither failing nor
  /// suspended: all that is likely to leave without waiting for a later attempt. Takes as long as there are destinations.
  [[nodiscard]] bool has_work(const Now& now) const;
  /// The first destination of those with this prefix that has mail, and has failed since it last judged a message; empty:
  /// none. Takes as long as there are such destinations.
  [[nodiscard]] std::string failing(std::string_view prefix) const;
  /// Destinations with this prefix whose mail is tried when its time comes: it has some, and no person suspended it. Takes
  /// as failing().
  [[nodiscard]] std::vector<Destination> served(std::string_view prefix, const Now& now) const;
  /// At most `limit`: those first that most messages in memory wait for, then some of the others. Takes as long as
  /// there are destinations with something in memory or in flight.
  [[nodiscard]] std::vector<DestinationState> states(const Now& now, std::size_t limit) const;
  [[nodiscard]] std::optional<DestinationState> state(const Destination& destination, const Now& now) const;
  /// Messages waiting in memory, with those that loads under way may bring.
  [[nodiscard]] std::size_t in_memory() const { return reserved_; }
  [[nodiscard]] std::size_t destinations() const { return queues_.size(); }
  /// Messages; released ones, those given up and those whose senders are being warned too.
  [[nodiscard]] std::size_t in_flight() const { return in_flight_; }
  /// Ready ones and those that messages in flight may be opening.
  [[nodiscard]] std::size_t connections() const { return connections_; }
  /// Destinations that plan() looked at so far.
  [[nodiscard]] std::uint64_t visits() const { return visits_; }

 private:
  using Place = DestinationQueue::Place;
  struct Starts;  // of one plan(): messages gathered into steps

  DestinationQueue* find(const Destination& destination);
  DestinationQueue& queue(const Destination& destination);
  Backlog& backlog(const QueueName& name);
  [[nodiscard]] std::size_t room(bool may_start) const;
  [[nodiscard]] std::size_t window_for_more(const DestinationQueue& queue, SteadyTime now) const;
  void note(DestinationQueue& queue);
  void recount(DestinationQueue& queue);
  void recount_loads(DestinationQueue& queue);
  void end_flight(DestinationQueue& queue, std::size_t shard);

  // ---- one destination ----
  void look_at(DestinationQueue& queue, const Now& now, std::vector<ScheduleStep>& steps);
  void plan_expiry(DestinationQueue& queue, const Now& now, std::vector<ScheduleStep>& steps);
  void plan_warnings(DestinationQueue& queue, const Now& now, std::vector<ScheduleStep>& steps);
  void plan_loads(DestinationQueue& queue, const Now& now, std::vector<ScheduleStep>& steps);
  [[nodiscard]] bool has_room_for_late(const DestinationQueue& queue) const;
  void plan_resolve(DestinationQueue& queue, const Now& now, std::vector<ScheduleStep>& steps);
  void rest(DestinationQueue& queue, const Now& now);
  void set_wake(DestinationQueue& queue, std::optional<SteadyTime> at);
  void drop(DestinationQueue& queue);

  // ---- providers ----
  void join_provider(DestinationQueue& queue, const std::string& name);
  void leave_provider(DestinationQueue& queue);
  void shape_provider(Provider& provider);
  void settle_provider(Provider& provider, SteadyTime now);

  // ---- turns ----
  void take_wakes(SteadyTime now);
  void take_turns(const Now& now, std::vector<ScheduleStep>& steps);
  [[nodiscard]] Place take_turn(DestinationQueue& queue, const Now& now, Starts& starts);
  struct Choice {
    std::optional<std::size_t> shard;
    bool is_new = false;           // a connection more
    Place waits_at = Place::none;  // without a shard: for what
  };
  [[nodiscard]] Choice choose_shard(const DestinationQueue& queue, SteadyTime now, bool was_woken) const;
  [[nodiscard]] Place blocked_at(const DestinationQueue& queue, bool was_woken) const;
  void start(DestinationQueue& queue, Lane lane, const Choice& choice, const Now& now, Starts& starts);
  void put(DestinationQueue& queue, Place place, bool in_front);
  WaitingLine& line(DestinationQueue& queue, Place place);
  void wake_one(WaitingLine& line);
  void wake_waiting(Provider* provider, SteadyTime now);

  [[nodiscard]] static DestinationState describe(const DestinationQueue& queue, const Now& now);
  template <class Visit>
  void for_each_with(std::string_view prefix, Visit visit) const;

  SchedulerLimits limits_;
  const ShapeSource& shapes_;
  Jitter& jitter_;
  bool is_paused_ = false;
  std::map<Destination, std::unique_ptr<DestinationQueue>> queues_;
  std::map<std::string, std::unique_ptr<Provider>> providers_;
  std::vector<DestinationQueue*> noted_;           // what plan() is to look at
  std::unordered_set<Provider*> noted_providers_;  // whose limits may have room now
  std::set<std::pair<SteadyTime, DestinationQueue*>> wakes_;
  std::set<std::pair<SteadyTime, Provider*>> provider_wakes_;
  WaitingLine ring_;             // due mail and leave to start some: one message each turn
  WaitingLine for_connections_;  // wait for another's connection to end
  std::unordered_set<const DestinationQueue*> busy_;  // with something in memory or in flight
  std::vector<std::size_t> started_on_;               // messages, a shard
  std::size_t started_ = 0;                           // messages that count to max_in_flight
  std::size_t in_flight_ = 0;                         // with those that do not
  std::size_t connections_ = 0;                       // slots
  std::size_t reserved_ = 0;                          // messages in memory
  std::uint64_t visits_ = 0;
};

}  // namespace relay::queue
