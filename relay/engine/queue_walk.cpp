#include "relay/engine/queue_walk.hpp"

#include <algorithm>
#include <array>
#include <set>

#include "relay/base/text.hpp"
#include "relay/engine/settlement.hpp"

namespace relay::engine {
namespace {

using spool::Family;

constexpr std::size_t kMaxVisits = 10'000;
constexpr std::size_t kStep = 1000;  // records read at a time

struct Kind {
  std::string_view mark;
  std::string_view state;
  Family family;
};
constexpr std::array kKinds{
  Kind{"w:", "waiting", Family::due}, Kind{"h:", "held", Family::held}, Kind{"f:", "failed", Family::failed}
};

const Kind& kind_of(Family family) {
  const auto found =
    std::find_if(kKinds.begin(), kKinds.end(), [&](const Kind& kind) { return kind.family == family; });
  return found == kKinds.end() ? kKinds.front() : *found;
}

const Kind* kind_named(std::string_view text) {
  const auto found =
    std::find_if(kKinds.begin(), kKinds.end(), [&](const Kind& kind) { return text.starts_with(kind.mark); });
  return found == kKinds.end() ? nullptr : &*found;
}

std::optional<Standing> to_standing(Family family, const spool::DueKey& key, spool::Waiting waiting) {
  auto queue = queue::QueueName::parse(key.queue);
  if (!queue) return std::nullopt;
  Standing standing;
  standing.family = family;
  standing.key = spool::due_key(key.queue, key.due, key.id);
  standing.id = key.id;
  const queue::Item item{{key.due, key.id}, waiting.arrival, waiting.attempts,
                         waiting.size,      waiting.at,      waiting.sender_was_warned};
  standing.place = {std::move(*queue), item, waiting.share, waiting.is_released};
  standing.waiting = std::move(waiting);
  return standing;
}

/// One page under way.
class Walk {
 public:
  Walk(const spool::Store& store, const Selection& selection, std::size_t limit)
      : store_(store), selection_(selection), limit_(limit) {}

  [[nodiscard]] bool is_full() const { return found_.size() >= limit_ || visits_ >= kMaxVisits; }
  std::vector<Standing> take() { return std::move(found_); }

  /// From `after` on, until the page is full or the family at its end; says whether it is.
  Result<bool> add(Family family, std::string& after) {
    while (!is_full()) {
      const auto read = family == Family::failed ? add_failed(after) : add_places(family, after);
      if (!read) return tl::unexpected(read.error());
      if (*read == 0) return true;
    }
    return false;
  }

 private:
  Result<std::size_t> add_places(Family family, std::string& after) {
    const auto page = store_.list_places(family, after, kStep);
    if (!page) return tl::unexpected(page.error());
    for (const auto& [key, waiting] : *page) {
      if (is_full()) break;
      ++visits_;
      after = spool::due_key(key.queue, key.due, key.id);
      if (auto standing = to_standing(family, key, waiting)) add(std::move(*standing));
    }
    return page->size();
  }

  Result<std::size_t> add_failed(std::string& after) {
    const auto page = store_.list_failed(spool::parse_id_key(after), kStep);
    if (!page) return tl::unexpected(page.error());
    for (const auto& [id, failed] : *page) {
      if (is_full()) break;
      ++visits_;
      after = spool::id_key(id);
      Standing standing;
      standing.family = Family::failed;
      standing.key = after;
      standing.id = id;
      standing.failed = failed;
      if (selection_.destination.empty()) add(std::move(standing));
    }
    return page->size();
  }

  void add(Standing standing) {
    if (selection_.id && *selection_.id != standing.id) return;
    const auto& wanted = selection_.destination;
    if (!wanted.empty() && wanted != standing.place.queue.destination.name) return;
    if (selection_.is_for_captured() && !standing.waiting.is_captured) return;
    if (!selection_.sender.empty() || !selection_.recipient.empty()) {
      const auto stored = store_.envelope(standing.id);
      if (!stored || !selects(selection_, standing.id, stored->envelope)) return;
    }
    found_.push_back(std::move(standing));
  }

  const spool::Store& store_;
  const Selection& selection_;
  std::size_t limit_;
  std::size_t visits_ = 0;
  std::vector<Standing> found_;
};

/// Queues that its recipients' mail belongs to at present.
std::set<std::string> likely_queues(const route::RouteTable& routes, const mail::Envelope& envelope) {
  std::set<std::string> names;
  for (const auto& [destination, recipients] : routes.split(envelope)) {
    for (const auto lane : queue::kLanes) names.insert(queue::QueueName{destination, lane}.to_key());
  }
  return names;
}

Result<void> add_places_of(
  const spool::Store& store, Family family, const QueueId& id, const std::string& queue,
  std::vector<Standing>& places
) {
  const auto keys = store.places_of(family, id, queue);
  if (!keys) return tl::unexpected(keys.error());
  for (const auto& key : *keys) {
    if (auto standing = read_standing(store, family, key)) places.push_back(std::move(*standing));
  }
  return {};
}

}  // namespace

std::string_view state_of(const Standing& standing) { return kind_of(standing.family).state; }

std::string name_of(const Standing& standing) {
  return std::string(kind_of(standing.family).mark) + base64(standing.key);
}

Result<Standing> read_standing(const spool::Store& store, Family family, const std::string& key) {
  if (family == Family::failed) {
    const auto id = spool::parse_id_key(key);
    if (!id) return permanent(Errc::not_found, "no such place");
    auto failed = store.failed(*id);
    if (!failed) return tl::unexpected(std::move(failed.error()));
    Standing standing;
    standing.family = family;
    standing.key = key;
    standing.id = *id;
    standing.failed = *failed;
    return standing;
  }
  const auto parsed = spool::parse_due_key(key);
  if (!parsed) return permanent(Errc::not_found, "no such place");
  auto waiting = store.place(family, key);
  if (!waiting) return tl::unexpected(std::move(waiting.error()));
  auto standing = to_standing(family, *parsed, std::move(*waiting));
  if (!standing) return permanent(Errc::not_found, "its queue has no valid name");
  return std::move(*standing);
}

Result<Standing> read_standing(const spool::Store& store, const std::string& name) {
  const auto* kind = kind_named(name);
  const auto key = kind != nullptr ? parse_base64(std::string_view(name).substr(2)) : std::nullopt;
  if (!key)
    return permanent(Errc::invalid_argument, "no place in the queue has the name " + printable(name, 60));
  return read_standing(store, kind->family, *key);
}

Result<FoundPage> find_standing(
  const spool::Store& store, const Selection& selection, const std::vector<Family>& families,
  const std::string& cursor, std::size_t limit
) {
  Walk walk(store, selection, std::clamp<std::size_t>(limit, 1, kStep));
  const auto* first = kind_named(cursor);
  auto after =
    first != nullptr ? parse_base64(std::string_view(cursor).substr(2)).value_or("") : std::string();
  bool is_reached = first == nullptr;
  for (const auto& kind : kKinds) {
    is_reached = is_reached || &kind == first;
    const bool is_wanted = std::find(families.begin(), families.end(), kind.family) != families.end() &&
                           selection.may_select(kind.state);
    if (!is_reached || !is_wanted) continue;
    if (first != nullptr && &kind != first) after.clear();
    const auto is_at_end = walk.add(kind.family, after);
    if (!is_at_end) return tl::unexpected(is_at_end.error());
    if (!*is_at_end) return FoundPage{walk.take(), std::string(kind.mark) + base64(after)};
    after.clear();
  }
  return FoundPage{walk.take(), {}};
}

bool are_all_places(
  const std::vector<Standing>& places, const spool::StoredEnvelope& stored,
  const std::map<std::uint32_t, spool::Settled>& settled
) {
  std::set<std::uint32_t> held;
  for (const auto& standing : places) {
    if (standing.place.share.empty()) return true;
    held.insert(standing.place.share.begin(), standing.place.share.end());
  }
  const auto pending = pending_recipients(stored, {}, settled);
  return !places.empty() && std::all_of(pending.begin(), pending.end(), [&](std::uint32_t index) {
    return held.contains(index);
  });
}

Result<std::vector<Standing>> all_places(
  const spool::Store& store, const route::RouteTable& routes, const QueueId& id
) {
  constexpr std::array kWaiting{Family::due, Family::held};
  std::vector<Standing> places;
  const auto stored = store.envelope(id);
  if (stored) {
    for (const auto& queue : likely_queues(routes, stored->envelope)) {
      for (const auto family : kWaiting) {
        if (auto added = add_places_of(store, family, id, queue, places); !added)
          return tl::unexpected(added.error());
      }
    }
    const auto settled = store.results(id);
    if (settled && are_all_places(places, *stored, *settled)) return places;
  } else if (stored.error().code == Errc::not_found) {
    return places;
  }
  places.clear();
  for (const auto family : kWaiting) {
    if (auto added = add_places_of(store, family, id, "", places); !added)
      return tl::unexpected(added.error());
  }
  return places;
}

}  // namespace relay::engine
