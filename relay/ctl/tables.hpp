#pragma once
/// The admin interface's answers as tables for people.

#include <nlohmann/json.hpp>
#include <string>

namespace relay::ctl {

/// One message a line; what the peer said last below it.
[[nodiscard]] std::string queue_table(const nlohmann::ordered_json& messages);
/// One destination a line; its failure below all.
[[nodiscard]] std::string destinations_table(const nlohmann::ordered_json& destinations);
/// One message: what it is, where it waits, what became of its recipients, and its events.
[[nodiscard]] std::string trace_text(const nlohmann::ordered_json& message);
[[nodiscard]] std::string status_text(const nlohmann::ordered_json& status);
/// Of a status: destinations whose next hop fails, a line each; empty when none does.
[[nodiscard]] std::string failing_destinations(const nlohmann::ordered_json& status);

}  // namespace relay::ctl
