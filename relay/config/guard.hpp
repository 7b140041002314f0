#pragma once
/// The guard behind `mode` and its settings.

#include "relay/config/settings.hpp"

namespace relay::config {

/// Of `mode_allowed`.
inline constexpr std::size_t kMaxAllowed = 256;

/// @param settings  checked: what load() gave without a fault
[[nodiscard]] policy::Guard guard_of(const Settings& settings);

}  // namespace relay::config
