#pragma once
/// Limits that several destinations share, and those that wait for them.

#include <deque>
#include <string>

#include "relay/queue/shape.hpp"

namespace relay::queue {

struct DestinationQueue;

/// Who waits for a shared limit, in the order they came. Thread: one at a time.
using WaitingLine = std::deque<DestinationQueue*>;

/// The destinations whose mail servers are one company's.
struct Provider {
  std::string name;
  std::optional<ProviderShape> shape;
  TokenBucket messages;
  std::size_t connections = 0;     // slots, over its destinations
  std::size_t destinations = 0;    // that are known to be its
  WaitingLine for_messages;        // wait for a token
  WaitingLine for_connections;     // wait for another's connection to end
  std::optional<SteadyTime> wake;  // its place among the wake times

  [[nodiscard]] bool has_message(SteadyTime now) const { return messages.has_token(now); }
  [[nodiscard]] bool has_connection() const { return !shape || connections < shape->max_connections; }
};

}  // namespace relay::queue
