#pragma once
/// What can be wrong with a resource, and with what it names.

#include "operator/relay/world.hpp"

namespace op::smtp_relay {

/// Why nothing may be applied: one thing that somebody can mend.
struct Finding {
  std::string_view condition;  ///< the one it makes untrue
  std::string_view status;     ///< False, or Unknown when we can't tell
  std::string reason;          ///< CamelCase and stable: docs/operator.md lists them
  std::string message;         ///< what is wrong, and what to do
};
using Findings = std::vector<Finding>;

/// All that is wrong, at once; pure.
[[nodiscard]] Findings findings_of(const World& world);

}  // namespace op::smtp_relay
