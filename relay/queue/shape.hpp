#pragma once
/// How much mail a destination is given, and when: limits that an administrator sets.

#include <optional>
#include <string>

#include "relay/queue/retry_schedule.hpp"
#include "relay/queue/token_bucket.hpp"
#include "relay/route/next_hop.hpp"

namespace relay::queue {

using route::Destination;

struct Shape {
  std::size_t max_connections = 20;     ///< over all shards, at least 1
  std::optional<Rate> message_rate;     ///< messages started
  std::optional<Rate> connection_rate;  ///< connections opened
  RetrySchedule retry;  ///< of its messages and of the hop itself; max_age: given up when older
  milliseconds warn_after = std::chrono::hours{4};  ///< its sender is told when it is older; 0: never
};

/// Limits on the sum over all destinations of one provider.
struct ProviderShape {
  std::size_t max_connections = 100;  ///< at least 1
  std::optional<Rate> message_rate;
};

/// Asked when a destination's queue is made, when its provider becomes known or another, and on reload().
/// Thread: the scheduler's. Returns at once.
class ShapeSource {
 public:
  virtual ~ShapeSource() = default;
  /// @param provider  empty: not known, or none
  [[nodiscard]] virtual Shape shape(const Destination& destination, const std::string& provider) const = 0;
  /// Nothing: its destinations share no limit. `provider` is not empty.
  [[nodiscard]] virtual std::optional<ProviderShape> provider_shape(const std::string& provider) const = 0;
};

}  // namespace relay::queue
