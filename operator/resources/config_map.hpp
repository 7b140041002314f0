#pragma once

#include "operator/resources/names.hpp"

namespace op::resources {

/// The relay's settings under a name that never changes: the relay reads them live, so a change restarts nothing.
/// @param settings  what relay_settings() gave
[[nodiscard]] Json config_map(const api::SmtpRelay& relay, const std::string& settings);

}  // namespace op::resources
