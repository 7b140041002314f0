#include "relay/dsn/decide.hpp"

namespace relay::dsn {
namespace {

std::optional<Action> of_delivery(
  const Attempt& attempt, const smtp::RecipientOutcome& recipient, const mail::Notify& notify
) {
  if (!notify.success) return std::nullopt;
  if (attempt.handover == Handover::into_mailbox) return Action::delivered;
  if (recipient.dsn_was_passed_on) return std::nullopt;
  return Action::relayed;
}

std::optional<Action> of_recipient(
  const Attempt& attempt, const smtp::RecipientOutcome& recipient, const mail::Notify& notify
) {
  if (notify.never) return std::nullopt;
  switch (recipient.disposition) {
    case smtp::Disposition::delivered: return of_delivery(attempt, recipient, notify);
    case smtp::Disposition::failed:
      if (notify.failure || notify.is_unset()) return Action::failed;
      return std::nullopt;
    case smtp::Disposition::deferred:
    case smtp::Disposition::untried:
      if (attempt.is_delay_due && (notify.delay || notify.is_unset())) return Action::delayed;
      return std::nullopt;
  }
  return std::nullopt;
}

}  // namespace

std::string_view name(Action action) {
  switch (action) {
    case Action::failed: return "failed";
    case Action::delayed: return "delayed";
    case Action::delivered: return "delivered";
    case Action::relayed: return "relayed";
  }
  return "failed";
}

std::vector<Notice> decide(const Attempt& attempt) {
  std::vector<Notice> notices;
  if (attempt.reverse_path.is_null()) return notices;
  const auto& recipients = attempt.outcome.recipients;
  for (std::size_t i = 0; i < recipients.size(); ++i) {
    const auto action = of_recipient(attempt, recipients[i], attempt.request.of(i).notify);
    if (action) notices.push_back({i, *action});
  }
  return notices;
}

}  // namespace relay::dsn
