#pragma once
/// Whether a relay works with less than it should: one answer from all that is known of it.

#include "operator/relay/plan.hpp"
#include "operator/relay/rollout.hpp"

namespace op::smtp_relay {

struct Degradation {
  std::string reason;   ///< of the gravest fault: the one that its own condition has
  std::string message;  ///< all faults, each behind the name of its condition
};

/// Faults that a person can mend count at once. Pods that only begin or end are none: a rollout, or a first one, is what
/// should be. Nodes that took mail before and do not any more count, however their pods call it, until all do again.
///
/// @param relay  with the status that was published last
/// @param next   with what all other conditions are going to say
/// @return       none: all is as expected
[[nodiscard]] std::optional<Degradation> degradation_of(
  const api::SmtpRelay& relay, const api::Status& next, const Plan& plan, const Rollout& rollout
);

}  // namespace op::smtp_relay
