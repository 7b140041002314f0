#pragma once
/// The driver of one outbound connection.

#include "relay/delivery/pool.hpp"

namespace relay::delivery {

/// Looks the next hop up, connects to its addresses in turn, greets, secures, authenticates, then sends what
/// the pool gives until there is nothing more. Reports everything to the pool's reporter.
[[nodiscard]] net::Awaitable<void> run_connection(Pool& pool, std::shared_ptr<const Hop> hop);

}  // namespace relay::delivery
