#pragma once
/// What connections tell of whether the network leaves clients their addresses.

#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <vector>

#include "relay/base/clock.hpp"
#include "relay/base/network.hpp"

namespace relay::session {

/// An address behind which the network hides clients, and how it was met.
struct HiddenSource {
  IpAddress address;
  std::uint64_t refusals = 0;          ///< since it was met first; it is forgotten kRemembered after the last
  std::chrono::seconds since_last{0};  ///< refusal
};

/// Remembers which hidden sources sent clients that wanted to relay, and whether clients come with addresses of their own. A
/// connection that only asks whether the relay is there (a probe, of a load balancer or of a node) is no client behind a hidden
/// source: it may prove that addresses are preserved, never that they are not.
///
/// Thread: any.
class SourceSightings {
 public:
  static constexpr std::chrono::minutes kRemembered{3};
  /// Beyond it the one that was quiet for longest makes room.
  static constexpr std::size_t kMaxSources = 32;

  /// A client behind this address was refused.
  void note_hidden(const IpAddress& source, SteadyTime now);
  /// A connection came with an address that is one client's. Cheap.
  void note_own(const IpAddress& client);

  struct Sightings {
    std::vector<HiddenSource> hidden;     ///< those of the last kRemembered, by address
    bool has_seen_own_addresses = false;  ///< since a hidden source was met last
  };
  [[nodiscard]] Sightings at(SteadyTime now) const;

 private:
  struct Met {
    std::uint64_t refusals = 0;
    SteadyTime last{};
  };
  void forget_old(SteadyTime now);

  std::atomic<bool> has_seen_own_{false};
  mutable std::mutex mutex_;
  std::map<IpAddress, Met> hidden_;  // under mutex_
};

}  // namespace relay::session
