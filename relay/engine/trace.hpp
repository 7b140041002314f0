#pragma once
/// Everything that the relay still knows of a message.

#include "relay/engine/journal.hpp"
#include "relay/engine/queue_walk.hpp"

namespace relay::engine {

/// One page: `{"messages": [{queue_id, state, sender, recipients: [{address, state, reply, hop, at}], message_id,
/// size, arrival, client, helo, places: [{place, state, destination, lane, due, attempts, last, recipients}],
/// is_signed, failed_at, events: [...]}], "next": "cursor, or empty at the end"}`.
///
/// A queue id has one page. Otherwise the first page tells what the journal knows, and the pages behind it walk the
/// queue: a message may come again there, with its places. `state` is `waiting`, `held`, `failed` or `gone`; members
/// that nobody knows are left out. A message that is gone leaves its events, while the journal keeps them.
///
/// @param cursor  `next` of the page before; a page looks at no more than 1,000 messages of the queue
/// Reads the spool: on a worker. Errors as find_standing().
[[nodiscard]] Result<nlohmann::ordered_json> trace(
  const spool::Store& store, const route::RouteTable& routes, const Journal* journal, const TraceQuery& query,
  const std::string& cursor
);

/// The Message-ID of stored content, as Envelope::message_id has it; empty when there is none.
[[nodiscard]] std::string stored_message_id(const spool::Store& store, const QueueId& id);

}  // namespace relay::engine
