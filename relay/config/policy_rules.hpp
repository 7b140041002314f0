#pragma once
/// The rules behind `policies`: their table of fields, and what the sessions use of them.

#include "relay/config/settings.hpp"

namespace relay::config {

/// The rules as sessions ask them, in their order. A reply that is not set is 550 5.7.1 for reject, 451 4.7.1 for defer.
/// @param settings  checked: what load() gave without a fault
[[nodiscard]] policy::Rules policy_rules(const Settings& settings);

}  // namespace relay::config
