#pragma once
/// The driver of one outbound connection.

#include "relay/delivery/pool.hpp"

namespace relay::delivery {

/// Finds the destination's hosts, connects to the first that can be used, greets, secures, authenticates, then
/// sends what the pool gives until there is nothing more. Reports everything to the pool's reporter.
/// @param tried  hosts that have deferred the jobs that it is for: it goes to none of them
[[nodiscard]] net::Awaitable<void> run_connection(Pool& pool, Tried tried);

}  // namespace relay::delivery
