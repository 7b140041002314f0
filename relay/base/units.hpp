#pragma once
/// Quantities with a unit, and how people write them: sizes `25Mi` or octets, durations `1m30s`.

#include <chrono>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "relay/base/result.hpp"

namespace relay {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// A number of octets: message sizes, disk space, memory.
struct Octets {
  std::uint64_t count = 0;
  friend auto operator<=>(const Octets&, const Octets&) = default;
};

/// Reads `1234`, `64Ki`, `25Mi`, `10Gi`, `1Ti` (powers of 1024) and `k`, `M`, `G`, `T` (powers of 1000), as
/// Kubernetes quantities do. Errors: Errc::invalid_argument, permanent, also on overflow.
[[nodiscard]] Result<Octets> parse_octets(std::string_view text);

/// The shortest text that parse_octets reads back to the same value: `25Mi`, `1500`.
[[nodiscard]] std::string to_text(Octets octets);

/// Reads `1h`, `1m30s`, `500ms`, `120h`: whole numbers, each with a unit of h, m, s or ms, largest unit first
/// and each at most once, and `0` alone. At most 10 years. Errors: Errc::invalid_argument, permanent.
[[nodiscard]] Result<milliseconds> parse_duration(std::string_view text);

/// The text that parse_duration reads back to the same value: `1m30s`, `0s`. Negative durations are written
/// as `0s`.
[[nodiscard]] std::string to_text(milliseconds duration);

}  // namespace relay
