#pragma once

#include "operator/resources/names.hpp"

namespace op::resources {

/// The volume, its folder in the container and the file there: where relays look unless their settings say otherwise
/// (`hidden_sources_file`).
inline constexpr std::string_view kNodeListVolume = "nodes";
inline constexpr std::string_view kNodeListFolder = "/etc/smtp-relay/nodes";
inline constexpr std::string_view kNodeListFile = "hidden_sources";

/// The ConfigMap with the addresses of all nodes, which hide clients. @param list  one a line
[[nodiscard]] Json node_list(const api::SmtpRelay& relay, const std::string& list);
/// Of a ConfigMap: whether it is one of these, by its name.
[[nodiscard]] bool is_node_list(const std::string& name);

/// Optional: pods start without it, and a cluster whose nodes nobody may list has none.
[[nodiscard]] Json node_list_volume(const api::SmtpRelay& relay);

}  // namespace op::resources
