#pragma once
/// One destination: its two lanes, its hop's health, its limits.

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "relay/queue/backlog.hpp"
#include "relay/queue/hop_health.hpp"
#include "relay/queue/provider.hpp"
#include "relay/queue/queue_name.hpp"
#include "relay/queue/shape.hpp"
#include "relay/queue/shard_loads.hpp"

namespace relay::queue {

struct Now {
  WallTime wall;      ///< for due times and ages
  SteadyTime steady;  ///< for suspensions and rates
};

/// While both lanes have due mail, one start in so many is a bulk one.
inline constexpr std::uint32_t kBulkTurn = 10;

/// What the scheduler keeps of one destination. Thread: one at a time.
struct DestinationQueue {
  DestinationQueue(Destination name, std::size_t shards, Shape its_shape);

  Destination destination;
  Shape shape;
  HopHealth health;
  TokenBucket messages;     // the shape's message_rate
  TokenBucket connections;  // its connection_rate
  std::size_t unpaid = 0;   // connections that were opened without a token of it, since plan() looked
  ShardLoads loads;

  // ---- provider ----
  Provider* provider = nullptr;
  bool needs_provider = false;  // it has none yet, and nothing starts before
  bool is_asking = false;       // Resolve is under way
  SteadyTime provider_valid_until = SteadyTime::max();

  // ---- a person's suspension ----
  bool is_held = false;
  std::optional<SteadyTime> held_until;

  // ---- its places in the scheduler ----
  enum class Place : std::uint8_t { none, ring, provider_messages, provider_connections, connections };
  Place place = Place::none;
  Place woken_from = Place::none;  // the waiting line that it left for the ring
  bool is_noted = false;           // plan() is to look at it
  std::size_t reserved = 0;        // messages in memory that were counted for it
  std::size_t flights = 0;         // messages in flight that were counted for it,
  std::size_t started = 0;         // of these, those in its loads
  std::size_t slots = 0;           // of its loads, that were counted
  std::optional<SteadyTime> wake;
  SteadyTime next_expiry{};   // its windows are searched for what is too old no more often than need be
  SteadyTime next_warning{};  // the same of what is late

  /// The lane's backlog, or null.
  [[nodiscard]] Backlog* lane(Lane which) { return lanes_[static_cast<std::size_t>(which)].get(); }
  [[nodiscard]] const Backlog* lane(Lane which) const {
    return lanes_[static_cast<std::size_t>(which)].get();
  }
  Backlog& make_lane(Lane which, Backlog::OnDisk on_disk);
  [[nodiscard]] QueueName name(Lane which) const { return {destination, which}; }

  void set_shape(Shape its_shape);
  [[nodiscard]] bool is_held_at(SteadyTime now) const {
    return is_held && (!held_until || now < *held_until);
  }
  /// Neither its hop nor a person is against it, and its provider is known.
  [[nodiscard]] bool may_start(SteadyTime now) const;
  /// How many messages of a lane are worth having in memory.
  [[nodiscard]] std::size_t useful_window(SteadyTime now) const;
  /// The lane whose turn it is; nothing when no message is due.
  [[nodiscard]] std::optional<Lane> next_lane(WallTime now) const;
  [[nodiscard]] std::optional<Item> take(Lane lane, WallTime now);

  /// A message is in flight, due, being read or being committed, and neither its hop nor a person is against it.
  [[nodiscard]] bool has_work(const Now& now) const;

  /// Some of its mail waits, is in flight, is being committed or read, or is on disk as far as is known.
  [[nodiscard]] bool has_mail() const;
  [[nodiscard]] std::size_t waiting() const;
  [[nodiscard]] std::size_t reserved_in_memory() const;
  [[nodiscard]] std::size_t in_flight() const;
  [[nodiscard]] std::optional<WallTime> next_due(const Now& now) const;
  [[nodiscard]] std::optional<WallTime> oldest_arrival() const;
  [[nodiscard]] std::optional<WallTime> oldest_unwarned() const;
  /// As Backlog::wants_late, of either lane.
  [[nodiscard]] bool wants_late() const;
  /// Until when something is remembered of it though it has no mail; nothing when it has, or is in use.
  [[nodiscard]] std::optional<SteadyTime> forgettable_at() const;

 private:
  std::array<std::unique_ptr<Backlog>, kLanes.size()> lanes_;
  std::uint32_t normal_in_a_row_ = 0;  // starts while bulk had due mail too
};

}  // namespace relay::queue
