#pragma once
/// What people are told by Events, and when. Only what changes is told: a status that says the same after a restart, a
/// list or another operator's term tells nothing again.

#include "operator/relay/plan.hpp"
#include "operator/relay/spool_report.hpp"
#include "operator/runtime/event_series.hpp"

namespace op::smtp_relay {

using runtime::Occurrence;

/// Before its first status: the operator has seen it.
[[nodiscard]] Occurrence first_seen(const api::SmtpRelay& relay);

/// What a new status says that `relay.status` did not. Reasons are those of conditions (docs/operator.md).
[[nodiscard]] std::vector<Occurrence> news_of(const api::SmtpRelay& relay, const api::Status& next);

/// Children without which mail flows that there should be and are not, where the status did not say so before.
[[nodiscard]] std::vector<Occurrence> losses_of(const api::SmtpRelay& relay, const Plan& plan);

/// It is gone, or about to be: what becomes of its mail, and how to get it back.
/// @param relay    as it was served last
/// @param reports  what its nodes hold, by node
/// @param why      it was not drained, though that was wanted; empty: it was not
[[nodiscard]] Occurrence farewell(
  const api::SmtpRelay& relay, const SpoolReports& reports, const std::string& spool_root,
  const std::string& why
);
/// It goes, and no mail of it waits any more. Dead letters may be left: then that is a warning.
[[nodiscard]] Occurrence drained(
  const api::SmtpRelay& relay, const SpoolReports& reports, const std::string& spool_root
);

/// A child was written or removed. @param what, why  as Applier::OnWrite has them
[[nodiscard]] Occurrence written(
  const api::SmtpRelay& relay, const kube::Resource& resource, const Json& object, std::string_view what,
  std::string_view why
);

/// True for `name:latest` and a name with neither tag nor digest: what it stands for changes by itself.
[[nodiscard]] bool floats(std::string_view image);

}  // namespace op::smtp_relay
