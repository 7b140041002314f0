#pragma once
/// How much waits for which destination.

#include <map>
#include <mutex>
#include <string>

#include "relay/engine/places.hpp"
#include "relay/metrics/counters.hpp"
#include "relay/queue/scheduler.hpp"

namespace relay::engine {

/// Counts places in queues; about 100 octets for each destination with mail. Thread: any.
class Depths {
 public:
  void start_with(const std::map<std::string, std::uint64_t>& by_queue);
  void add(const std::vector<Place>& places);
  void remove(const queue::QueueName& queue);
  /// What the schedule knows of the ages of those with most.
  void note_ages(const std::vector<queue::DestinationState>& states, WallTime now);
  /// The metrics::kMaxDestinations with most, and the rest as `other`.
  [[nodiscard]] std::vector<metrics::Depth> top() const;

 private:
  mutable std::mutex mutex_;
  std::map<std::string, std::uint64_t> messages_;  // under mutex_
  std::map<std::string, double> ages_;             // in seconds, under mutex_
};

}  // namespace relay::engine
