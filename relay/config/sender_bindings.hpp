#pragma once
/// The bindings behind `sender_bindings`: their table of fields, and what the sessions use of them.

#include "relay/config/settings.hpp"
#include "relay/policy/sender_bindings.hpp"

namespace relay::config {

/// @param settings  checked: what load() gave without a fault
[[nodiscard]] policy::SenderBindings sender_bindings(const Settings& settings);

}  // namespace relay::config
