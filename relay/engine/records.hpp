#pragma once
/// Log records of what becomes of messages: the same facts under the same names in each.

#include "relay/base/log.hpp"
#include "relay/delivery/ports.hpp"
#include "relay/engine/settlement.hpp"

namespace relay::engine {

[[nodiscard]] std::vector<std::string> to_texts(const std::vector<mail::Address>& addresses);

/// The recipients that an attempt is for.
[[nodiscard]] std::vector<std::string> pending_texts(const Attempt& attempt);
/// `queue_id`, `sender`, `recipients`, `destination`, `size`, `attempt` and `delay` (seconds since arrival) of an
/// attempt.
[[nodiscard]] log::Record with_attempt(
  log::Record record, const Attempt& attempt, const std::vector<std::string>& recipients, WallTime now
);
/// `host`, `address` and `tls` of where a connection went; empty where there was none.
[[nodiscard]] log::Record with_peer(log::Record record, const delivery::Peer& peer);

/// Seconds to the millisecond: more digits say nothing.
[[nodiscard]] double to_seconds(std::chrono::nanoseconds duration);

}  // namespace relay::engine
