#pragma once
/// What a schedule asks its owner to do.

#include <variant>
#include <vector>

#include "relay/queue/backlog.hpp"
#include "relay/queue/queue_name.hpp"

namespace relay::queue {

// clang-format off: one line each
namespace schedule_step {
/// Deliver these on this shard, with no more connections to the destination there than `max_connections`, those
/// included that are open or being opened. Each is answered by finished(), or by put_back() when it was not tried.
struct Start { QueueName queue; std::size_t shard; std::vector<Item> items; std::size_t max_connections; };
/// Read from disk; answered by loaded().
struct Load { QueueName queue; Backlog::Load what; };
/// Too old: give up. Each is answered by finished() with kNoShard.
struct Expire { QueueName queue; std::vector<Item> items; };
/// Late: their senders should know. Each is answered by moved() once that is recorded, by put_back() when it could not
/// be, or by finished() when it is gone; with kNoShard.
struct Warn { QueueName queue; std::vector<Item> items; };
/// Whose mail servers are these? Answered by resolved(). One question at a time for each destination.
struct Resolve { Destination destination; };
}  // namespace schedule_step
// clang-format on
using ScheduleStep = std::variant<
  schedule_step::Start, schedule_step::Load, schedule_step::Expire, schedule_step::Warn,
  schedule_step::Resolve>;

inline constexpr std::size_t kNoShard = static_cast<std::size_t>(-1);

}  // namespace relay::queue
