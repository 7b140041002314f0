#pragma once
/// The name of a queue on disk and in memory: a destination and a lane.

#include <array>
#include <compare>
#include <string>
#include <string_view>

#include "relay/base/result.hpp"
#include "relay/route/next_hop.hpp"

namespace relay::queue {

using route::Destination;

/// Transactional mail before bulk. Both lanes of a destination share its limits and its health.
enum class Lane { normal, bulk };
inline constexpr std::array kLanes{Lane::normal, Lane::bulk};

struct QueueName {
  Destination destination;
  Lane lane = Lane::normal;

  /// Part of the spool's keys: the destination's name for normal, `<name>;bulk` for bulk. A destination's name
  /// holds no `;`.
  [[nodiscard]] std::string to_key() const;
  /// Errors: Errc::invalid_argument, permanent (no name, or a lane that this version does not know).
  [[nodiscard]] static Result<QueueName> parse(std::string_view key);
  friend auto operator<=>(const QueueName&, const QueueName&) = default;
};

}  // namespace relay::queue
