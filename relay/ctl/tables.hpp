#pragma once
/// The admin interface's answers as tables for people.

#include <nlohmann/json.hpp>
#include <string>

namespace relay::ctl {

/// One message a line; what the peer said last below it.
[[nodiscard]] std::string queue_table(const nlohmann::ordered_json& messages);
[[nodiscard]] std::string status_text(const nlohmann::ordered_json& status);
/// Of a status: destinations whose next hop fails, a line each; empty when none does.
[[nodiscard]] std::string failing_destinations(const nlohmann::ordered_json& status);

}  // namespace relay::ctl
