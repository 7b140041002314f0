#pragma once
/// Where a message waits: one place in a queue for each destination of its recipients.

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "relay/queue/item.hpp"
#include "relay/queue/queue_name.hpp"
#include "relay/route/route_table.hpp"
#include "relay/spool/store.hpp"

namespace relay::engine {

struct Place {
  queue::QueueName queue;
  queue::Item item;
  std::vector<std::uint32_t> share;  ///< recipients, as indices into the envelope; empty: all of them
  bool is_released = false;          ///< a person has let it out, whatever the mode of the relay
};

/// Content as it came, in pieces.
using Chunks = std::vector<std::string>;

/// What of a message is still in memory from its acceptance.
struct Fresh {
  spool::StoredEnvelope stored;
  std::shared_ptr<const Chunks> content;  ///< null: read it from the spool
};

/// A message whose record is about to be written, or was.
struct Accepted {
  QueueId id;
  std::vector<Place> places;
  Fresh fresh;
  WallTime placed{};  ///< when the places were chosen, where that was just now
};

/// The places of a new message, without recipients that a rule holds or the mode keeps in.
/// @param due  when it is first tried; also its arrival, by the clock of the queue
[[nodiscard]] std::vector<Place> new_places(
  const route::RouteTable& routes, const mail::Envelope& envelope, const QueueId& id, queue::Lane lane,
  WallTime due
);

/// The places, on hold, of those that a rule holds; mostly none. Their keys are a moment behind those of new_places(): both
/// may lead to one queue, and a person may hold the others, too.
[[nodiscard]] std::vector<Place> held_places(
  const route::RouteTable& routes, const mail::Envelope& envelope, const QueueId& id, queue::Lane lane,
  WallTime due
);

/// The same, of those that the mode keeps in (Envelope::captured), a moment behind again.
[[nodiscard]] std::vector<Place> captured_places(
  const route::RouteTable& routes, const mail::Envelope& envelope, const QueueId& id, queue::Lane lane,
  WallTime due
);

/// Where the present routes lead a recipient of a message that waits for `at`. What reports TLS failures goes on doing
/// so apart from a domain's other mail: nothing but its place tells what it is.
[[nodiscard]] route::Destination routed_anew(
  const route::RouteTable& routes, const mail::Envelope& envelope, std::uint32_t recipient,
  const route::Destination& at
);
/// The same for several, by destination.
[[nodiscard]] std::map<route::Destination, std::vector<std::uint32_t>> split_anew(
  const route::RouteTable& routes, const mail::Envelope& envelope,
  const std::vector<std::uint32_t>& recipients, const route::Destination& at
);

/// Its key in `due`, or in `held`.
[[nodiscard]] std::string key_of(const Place& place);
[[nodiscard]] std::string due_key(const queue::QueueName& queue, const queue::ItemKey& key);
/// @param last  what the last attempt was told
[[nodiscard]] spool::Operation put_place(const Place& place, std::string last = {});
/// On hold: not of the schedule before it is released.
[[nodiscard]] spool::Operation put_held(const Place& place);
/// The same, since the mode keeps it in. @param why  policy::why_captured()
[[nodiscard]] spool::Operation put_captured(const Place& place, std::string why);
/// The place with a key in `held` that does not take that of others of the same message, who may be held in the same queue.
/// Nothing: the spool could not be read just now. Reads it: on a worker.
[[nodiscard]] std::optional<Place> with_free_held_key(const spool::Store& store, Place place);

/// The operations that put them there.
[[nodiscard]] spool::Operations put_all_captured(const std::vector<Place>& places, const std::string& why);

/// docs/spool.md, "end of data": envelope and places. The content's chunks are the caller's.
[[nodiscard]] spool::Operations accept_operations(
  const QueueId& id, const spool::StoredEnvelope& stored, const std::vector<Place>& places,
  const std::vector<Place>& held = {}
);

}  // namespace relay::engine
