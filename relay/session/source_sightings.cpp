#include "relay/session/source_sightings.hpp"

#include <algorithm>

namespace relay::session {

void SourceSightings::note_hidden(const IpAddress& source, SteadyTime now) {
  const std::scoped_lock lock(mutex_);
  forget_old(now);
  if (!hidden_.contains(source) && hidden_.size() >= kMaxSources) {
    hidden_.erase(std::min_element(hidden_.begin(), hidden_.end(), [](const auto& one, const auto& other) {
      return one.second.last < other.second.last;
    }));
  }
  auto& met = hidden_[source];
  ++met.refusals;
  met.last = now;
  has_seen_own_.store(false, std::memory_order_relaxed);
}

void SourceSightings::note_own(const IpAddress& client) {
  // A loopback address passed no network, and proves nothing of it.
  if (client.is_loopback() || has_seen_own_.load(std::memory_order_relaxed)) return;
  has_seen_own_.store(true, std::memory_order_relaxed);
}

SourceSightings::Sightings SourceSightings::at(SteadyTime now) const {
  Sightings sightings;
  sightings.has_seen_own_addresses = has_seen_own_.load(std::memory_order_relaxed);
  const std::scoped_lock lock(mutex_);
  for (const auto& [address, met] : hidden_) {
    const auto since = std::chrono::duration_cast<std::chrono::seconds>(now - met.last);
    if (now - met.last < kRemembered) sightings.hidden.push_back({address, met.refusals, since});
  }
  return sightings;
}

void SourceSightings::forget_old(SteadyTime now) {
  std::erase_if(hidden_, [&](const auto& entry) { return now - entry.second.last >= kRemembered; });
}

}  // namespace relay::session
