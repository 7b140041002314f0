#pragma once

#include "operator/resources/names.hpp"

namespace op::resources {

/// The relay's settings, under a key that changes with the names of what is mounted alone (settings_key): the relay reads
/// them live, so a change of settings restarts nothing.
/// @param key       settings_key()
/// @param settings  what relay_settings() gave
/// @param former    settings of pods with other mounts, by their keys
[[nodiscard]] Json config_map(
  const api::SmtpRelay& relay, const std::string& key, const std::string& settings,
  Json former = Json::object()
);

}  // namespace op::resources
