#include "relay/engine/reports.hpp"

#include <algorithm>

#include "relay/dsn/decide.hpp"
#include "relay/dsn/report.hpp"
#include "relay/engine/own_message.hpp"

namespace relay::engine {
namespace {

using spool::Family;

mail::DsnRequest request_of(const Attempt& attempt) {
  const auto& dsn = attempt.stored.envelope.dsn;
  mail::DsnRequest request{dsn.ret, dsn.envelope_id, {}};
  if (dsn.recipients.empty()) return request;
  for (const auto index : attempt.pending) request.recipients.push_back(dsn.of(index));
  return request;
}

dsn::FloodLimits limits_of(const queue::Rate& rate) {
  const auto hours = std::max(std::chrono::duration<double, std::ratio<3600>>(rate.per).count(), 1e-6);
  dsn::FloodLimits limits;
  limits.reports_per_hour =
    static_cast<unsigned>(std::clamp(static_cast<double>(rate.count) / hours, 1.0, 1e9));
  limits.burst = static_cast<unsigned>(std::clamp<std::uint64_t>(rate.count / 5, 1, 1000));
  return limits;
}

/// Whether nobody is left to be told of a failure: it is reported, or the sender wants to hear nothing.
bool closes(const Attempt& attempt, std::size_t i, const std::vector<dsn::Notice>& notices) {
  const bool is_reported = std::any_of(notices.begin(), notices.end(), [&](const auto& notice) {
    return notice.recipient == i && notice.action == dsn::Action::failed;
  });
  const auto& notify = attempt.stored.envelope.dsn.of(attempt.pending[i]).notify;
  const bool is_unwanted = !notify.is_unset() && !notify.failure;
  return is_reported || (is_unwanted && !attempt.stored.envelope.reverse_path.is_null());
}

dsn::RecipientReport recipient_report(
  const Attempt& attempt, const dsn::Notice& notice, const smtp::RecipientOutcome& outcome,
  const std::string& remote_mta, WallTime now, WallTime give_up
) {
  const auto index = attempt.pending[notice.recipient];
  const auto& envelope = attempt.stored.envelope;
  dsn::RecipientReport report;
  report.recipient = envelope.recipients[index];
  report.original_recipient = envelope.dsn.of(index).original_recipient;
  report.action = notice.action;
  report.reply = outcome.reply;
  report.stage = outcome.stage;
  report.remote_mta = remote_mta;
  if (outcome.disposition != smtp::Disposition::untried) report.last_attempt = now;
  if (notice.action == dsn::Action::delayed) report.will_retry_until = give_up;
  return report;
}

}  // namespace

Reports::Reports(const Context& context) : context_(context) {}

bool Reports::is_delay_due(const Attempt& attempt) const {
  if (attempt.place.item.sender_was_warned) return false;
  const auto warn_after = context_.shapes.shape(attempt.place.queue.destination, attempt.provider).warn_after;
  return warn_after.count() > 0 && context_.clock.now() - attempt.place.item.arrival >= warn_after;
}

bool Reports::is_wanted(const Attempt& attempt, const smtp::MessageOutcome& outcome) const {
  if (attempt.stored.envelope.reverse_path.is_null()) return false;
  const bool is_delay = is_delay_due(attempt);
  for (std::size_t i = 0; i < outcome.recipients.size(); ++i) {
    switch (outcome.recipients[i].disposition) {
      case smtp::Disposition::failed: return true;
      case smtp::Disposition::delivered:
        if (attempt.stored.envelope.dsn.of(attempt.pending[i]).notify.success) return true;
        break;
      case smtp::Disposition::deferred:
      case smtp::Disposition::untried:
        if (is_delay) return true;
        break;
    }
  }
  return false;
}

Result<Reported> Reports::report(
  const Attempt& attempt, const smtp::MessageOutcome& outcome, const std::string& remote_mta
) {
  const auto& envelope = attempt.stored.envelope;
  const auto request = request_of(attempt);
  const auto notices =
    dsn::decide({envelope.reverse_path, request, outcome, dsn::Handover::to_next_hop, is_delay_due(attempt)});
  Reported reported;
  for (std::size_t i = 0; i < attempt.pending.size(); ++i)
    reported.is_closed.push_back(closes(attempt, i, notices));
  if (notices.empty()) return reported;

  const auto limits = context_.limits.limits();
  const auto& settings = limits->reports;
  auto content = original(attempt, settings.max_returned.count);
  if (!content) return tl::unexpected(std::move(content.error()));
  const auto id = context_.store.next_id();
  const auto now = context_.clock.clock().wall();
  const auto shape = context_.shapes.shape(attempt.place.queue.destination, attempt.provider);
  dsn::Report report;
  report.id = id.to_text();
  report.reporting_mta = limits->hostname;
  report.from = settings.from;
  report.to = envelope.reverse_path;
  report.now = now;
  report.max_returned = settings.max_returned.count;
  report.original = {
    *content,
    mail::sent_size(envelope) + envelope.received.size(),
    attempt.id().to_text(),
    envelope.dsn.envelope_id,
    envelope.dsn.ret,
    envelope.arrival
  };
  for (const auto& notice : notices) {
    report.recipients.push_back(recipient_report(
      attempt, notice, outcome.recipients[notice.recipient], remote_mta, now,
      envelope.arrival + shape.retry.max_age
    ));
    reported.actions.emplace_back(dsn::name(notice.action));
    reported.sender_is_warned = reported.sender_is_warned || notice.action == dsn::Action::delayed;
  }
  mail::Envelope own;
  own.recipients = {envelope.reverse_path};
  own.arrival = now;
  own.smtputf8 = dsn::needs_smtputf8(report);
  own.requires_tls = envelope.requires_tls;  // RFC 8689 section 5: it brings back what was to be protected
  auto stored = own_message(
    context_, id, std::move(own), dsn::make_report(report), slot(envelope.reverse_path.to_text())
  );
  reported.operations = std::move(stored.operations);
  reported.messages.push_back(std::move(stored.message));
  return reported;
}

/// Its beginning as it was sent on, a little more than `limit`, so that the report knows whether it is whole. Damaged
/// content is none.
Result<std::string> Reports::original(const Attempt& attempt, std::size_t limit) const {
  const auto& envelope = attempt.stored.envelope;
  auto content = envelope.received + envelope.edits.added;
  mail::FieldFilter filter(envelope.edits.removed);
  for (std::uint32_t index = 0; index < attempt.stored.chunks && content.size() <= limit; ++index) {
    const auto chunk = context_.store.chunk(attempt.id(), index);
    if (!chunk && chunk.error().code != Errc::corrupt && chunk.error().code != Errc::not_found)
      return tl::unexpected(chunk.error());
    if (!chunk) break;
    filter.feed(*chunk, content);
  }
  filter.finish(content);
  return content;
}

WallTime Reports::slot(const std::string& victim) {
  const auto rate = context_.limits.limits()->reports.rate;
  const std::scoped_lock lock(mutex_);
  if (!gate_ || rate != rate_) {
    rate_ = rate;
    gate_ = std::make_unique<dsn::FloodGate>(limits_of(rate));
  }
  // A place further ahead than this would be taken for one by a clock that was set back, and be due at once.
  constexpr std::chrono::hours kFurthest{24 * 4};
  const auto now = context_.clock.now();
  return std::min(gate_->slot(victim, now), now + milliseconds{kFurthest});
}

}  // namespace relay::engine
