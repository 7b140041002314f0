#pragma once
/// Finds messages in the spool for whoever changes or shows them.

#include "relay/engine/listing.hpp"
#include "relay/engine/places.hpp"

namespace relay::engine {

/// A place as it stands in `due` or `held`, or a dead letter.
struct Standing {
  spool::Family family = spool::Family::due;  ///< due, held or failed
  std::string key;
  QueueId id;
  Place place;             ///< of due and held
  spool::Waiting waiting;  ///< of due and held
  spool::Failed failed;    ///< of failed
};

/// `waiting`, `held` or `failed`.
[[nodiscard]] std::string_view state_of(const Standing& standing);
/// What listings call it: `w:`, `h:` or `f:` and the key as base64.
[[nodiscard]] std::string name_of(const Standing& standing);

/// What stands under a key now. Errors as Store::place(); not_found also for a key that is none.
[[nodiscard]] Result<Standing> read_standing(
  const spool::Store& store, spool::Family family, const std::string& key
);
/// The same by its name. Errors: invalid_argument too.
[[nodiscard]] Result<Standing> read_standing(const spool::Store& store, const std::string& name);

struct FoundPage {
  std::vector<Standing> found;
  std::string next;  ///< cursor of what comes next; empty at the end
};

/// Selected places of these families, in their order: one page.
/// @param families  some of due, held and failed
/// @param cursor    `next` of the page before; empty: from the start
/// @param limit     at most this many; a page looks at no more than 10,000 and may hold fewer, even none
/// Reads the spool: on a worker. Errors as Store::list_places().
[[nodiscard]] Result<FoundPage> find_standing(
  const spool::Store& store, const Selection& selection, const std::vector<spool::Family>& families,
  const std::string& cursor, std::size_t limit
);

/// All places of one message. Looks into the queues that the present routes lead to, and into all when something is
/// missing there: that takes as long as the queue is. Errors as Store::places_of().
[[nodiscard]] Result<std::vector<Standing>> all_places(
  const spool::Store& store, const route::RouteTable& routes, const QueueId& id
);

/// Whether these places hold every recipient that is not settled.
[[nodiscard]] bool are_all_places(
  const std::vector<Standing>& places, const spool::StoredEnvelope& stored,
  const std::map<std::uint32_t, spool::Settled>& settled
);

}  // namespace relay::engine
