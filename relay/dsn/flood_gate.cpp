#include "relay/dsn/flood_gate.hpp"

#include <algorithm>
#include <chrono>

#include "relay/base/text.hpp"

namespace relay::dsn {

FloodGate::FloodGate(FloodLimits limits)
    : limits_(limits),
      interval_(milliseconds{std::chrono::hours{1}} / std::max(limits.reports_per_hour, 1U)) {
  limits_.burst = std::max(limits_.burst, 1U);
}

WallTime FloodGate::slot(std::string_view victim, WallTime now) {
  auto& spread_until = allowance(victim, now);
  spread_until = std::max(spread_until, now) + interval_;
  return std::max(now, spread_until - interval_ * limits_.burst);
}

WallTime& FloodGate::allowance(std::string_view victim, WallTime now) {
  auto name = lower(victim);
  if (const auto known = victims_.find(name); known != victims_.end()) return known->second;
  if (now >= last_sweep_ + interval_ || now < last_sweep_) forget_idle(now);
  if (victims_.size() >= limits_.max_victims) return shared_;
  return victims_[std::move(name)];
}

void FloodGate::forget_idle(WallTime now) {
  last_sweep_ = now;
  std::erase_if(victims_, [&](const auto& victim) { return victim.second <= now; });
}

}  // namespace relay::dsn
