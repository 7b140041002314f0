#pragma once
/// The queue as a person or a program asks to see it.

#include <cstddef>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "relay/engine/context.hpp"

namespace relay::engine {

/// What is asked for; empty members ask for all.
struct Selection {
  std::optional<QueueId> id;
  std::string sender;       ///< an address, or a domain
  std::string recipient;    ///< an address, or a domain
  std::string destination;  ///< `smarthost/<name>` or `mx/<domain>`
  std::string state;        ///< `waiting`, `held`, `failed`, or `captured`: held since the mode keeps it in

  [[nodiscard]] bool is_for_captured() const { return state == "captured"; }
  /// Whether places of this state, of the first three, may be among it.
  [[nodiscard]] bool may_select(std::string_view place_state) const {
    return state.empty() || state == place_state || (is_for_captured() && place_state == "held");
  }
  [[nodiscard]] bool selects_all() const {
    return !id && sender.empty() && recipient.empty() && destination.empty();
  }
};

/// One page of waiting, held and failed messages as JSON:
/// `{"messages": [{queue_id, place, state: waiting|held|failed, destination, sender, recipients: [{address, state,
///   reply}], size, arrival, due, attempts, last}], "next": "cursor, or empty at the end"}`; with `"captured": true`
/// what is held since the mode of the relay keeps it in.
/// A message that waits for several destinations is there once for each. `place` names one of them for good
/// (queue_walk.hpp).
///
/// @param cursor  what the page before said in `next`; empty for the first page
/// @param limit   at most this many messages, 1 to 1000. A page looks at no more than 10,000 messages: it may
///                hold fewer than `limit`, even none, and `next` all the same
/// Reads the spool: on a worker. A message that changes meanwhile may be left out or shown in its earlier
/// state. Errors as Store::list_places().
[[nodiscard]] Result<nlohmann::ordered_json> list_queue(
  const spool::Store& store, const Selection& selection, const std::string& cursor, std::size_t limit
);

/// Whether a message with this envelope is selected, its place aside.
[[nodiscard]] bool selects(const Selection& selection, const QueueId& id, const mail::Envelope& envelope);

}  // namespace relay::engine
