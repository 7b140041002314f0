#pragma once
/// From the octets of a watch to its events.

#include <vector>

#include "operator/kube/failure.hpp"
#include "operator/kube/object.hpp"

namespace op::kube {

struct WatchEvent {
  enum class Type : std::uint8_t { added, modified, deleted, bookmark, error };
  Type type{};
  Json object;  ///< of an error: a metav1.Status
};

/// The events of a watch come as JSON objects, one a line, cut anywhere by the network.
///
/// Thread: one at a time.
class WatchDecoder {
 public:
  /// Takes the next octets and gives the events that are complete now, in their order.
  /// Errors: Errc::protocol_error, transient, for a line that is no event; the watch is then of no more use.
  [[nodiscard]] relay::Result<std::vector<WatchEvent>> feed(std::string_view octets);

 private:
  std::string line_;  // the part of a line that has come so far
};

/// The bookmark behind the last object that was there before the watch (KEP-3157).
[[nodiscard]] bool ends_initial_events(const WatchEvent& event);

/// The failure that an error event stands for.
[[nodiscard]] Failure failure_of(const WatchEvent& error);

/// Octets of one line; etcd refuses objects above 1.5 MiB, and JSON escapes at most sixfold.
inline constexpr std::size_t kMaxWatchLine = 16U << 20U;

}  // namespace op::kube
