#pragma once
/// What can be wrong with a resource, and with what it names.

#include "operator/relay/world.hpp"
#include "relay/config/load.hpp"

namespace op::smtp_relay {

/// Why nothing may be applied: one thing that somebody can mend.
struct Finding {
  std::string_view condition;  ///< the one it makes untrue
  std::string_view status;     ///< False, or Unknown when we can't tell
  std::string reason;          ///< CamelCase and stable: docs/operator.md lists them
  std::string message;         ///< what is wrong, and what to do
};
using Findings = std::vector<Finding>;

/// Why an object of a child's name is not ours to write, and what to do; nothing where there is none, or it is ours.
[[nodiscard]] std::optional<std::string> conflict_of(
  std::string_view kind, const std::string& name, const std::optional<Json>& live, const api::SmtpRelay& relay
);

/// All that is wrong, at once; pure. @param effective  what effective_settings() makes of this world
[[nodiscard]] Findings findings_of(const World& world, const relay::config::Loaded& effective);

}  // namespace op::smtp_relay
