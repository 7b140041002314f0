#pragma once
/// One message for one destination, as the schedule sees it.

#include <compare>
#include <cstdint>
#include <functional>

#include "relay/base/clock.hpp"
#include "relay/base/queue_id.hpp"

namespace relay::queue {

/// The order of a destination's queue, on disk and in memory.
struct ItemKey {
  WallTime due{};
  QueueId id;
  friend auto operator<=>(const ItemKey&, const ItemKey&) = default;
};

struct Item {
  ItemKey key;
  WallTime arrival{};
  std::uint32_t attempts = 0;      ///< made so far that judged the message
  std::uint64_t size = 0;          ///< octets of content
  WallTime scheduled{};            ///< when its due time was chosen
  bool sender_was_warned = false;  ///< that it is late, or wants no word of it
  friend bool operator==(const Item&, const Item&) = default;
};

struct QueueIdHash {
  std::size_t operator()(const QueueId& id) const { return std::hash<std::uint64_t>{}(id.number); }
};

}  // namespace relay::queue
