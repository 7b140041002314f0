#pragma once
/// The queue as a person or a program asks to see it.

#include <cstddef>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "relay/engine/context.hpp"

namespace relay::engine {

/// One page of waiting and failed messages as JSON:
/// `{"messages": [{queue_id, state: waiting|failed, destination, sender, recipients: [{address, state,
/// reply}], size,
///   arrival, due, attempts, last}], "next": "cursor, or empty at the end"}`.
///
/// @param cursor  what the page before said in `next`; empty for the first page
/// @param limit   at most this many messages, 1 to 1000 Reads the spool: on a worker. A message that changes
///                meanwhile may be left out or shown in its earlier state.
[[nodiscard]] nlohmann::ordered_json list_queue(
  const spool::Store& store, const std::string& cursor, std::size_t limit
);

}  // namespace relay::engine
