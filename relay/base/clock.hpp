#pragma once
/// Time and chance enter the pure code through these two interfaces, so that tests decide both.

#include <chrono>
#include <string>

#include "relay/base/units.hpp"

namespace relay {

/// Wall time, for what is written to disk, headers and logs. May jump.
using WallTime = std::chrono::sys_time<milliseconds>;
/// For timeouts and intervals. Never jumps.
using SteadyTime = std::chrono::steady_clock::time_point;

/// Source of both times. Implementations are safe from any thread.
class Clock {
 public:
  virtual ~Clock() = default;
  [[nodiscard]] virtual WallTime wall() const = 0;
  [[nodiscard]] virtual SteadyTime steady() const = 0;
};

/// Source of chance for spreading retries and choosing among equals. Not for secrets.
class Jitter {
 public:
  virtual ~Jitter() = default;
  /// Evenly spread in [0, 1).
  [[nodiscard]] virtual double fraction() = 0;
};

/// RFC 3339 in UTC with milliseconds: `2026-01-31T08:15:30.250Z`.
[[nodiscard]] std::string to_rfc3339(WallTime time);
/// RFC 5322 section 3.3 in UTC: `Sat, 31 Jan 2026 08:15:30 +0000`.
[[nodiscard]] std::string to_rfc5322(WallTime time);

}  // namespace relay
