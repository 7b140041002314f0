#include "operator/runtime/leader_election.hpp"

#include <algorithm>

namespace op::runtime {

std::optional<std::string> fault_of(const ElectionOptions& options) {
  if (options.renew_deadline >= options.lease_duration)
    return "--renew-deadline must be shorter than --lease-duration";
  if (options.retry_period * 12 / 10 >= options.renew_deadline)
    return "--retry-period, stretched by a fifth, must be shorter than --renew-deadline";
  if (options.lease_duration < seconds{1} || options.retry_period <= milliseconds{0})
    return "--lease-duration must be at least 1s, --retry-period more than 0s";
  return std::nullopt;
}

milliseconds request_limit(const ElectionOptions& options) {
  const auto margin = (options.lease_duration - options.renew_deadline) * 4 / 5;
  return std::min<milliseconds>(options.renew_deadline / 2, margin);
}

SteadyTime overdue_at(const Term& term) { return term.expires - (term.expires - term.write_until) / 10; }

milliseconds last_grace(const ElectionOptions& options) {
  return (options.lease_duration - options.renew_deadline) / 20;
}

ElectionStep LeaderElection::resume(const ElectionEvent& event, const ElectionNow& now, double fraction) {
  now_ = now;
  fraction_ = fraction;
  if (term_ && now_.steady >= term_->write_until) term_.reset();
  return std::visit([this](const auto& happened) { return apply(happened); }, event);
}

ElectionStep LeaderElection::apply(const election_event::Started&) { return election_step::Read{}; }

ElectionStep LeaderElection::apply(const election_event::Woke&) {
  if (!term_) return election_step::Read{};
  return hold();
}

ElectionStep LeaderElection::apply(const election_event::ReadDone& done) {
  if (!done.record) return try_again();
  if (!*done.record) {
    observed_ = {};
    return hold();
  }
  observe(**done.record);
  const bool is_ours = observed_.holder == options_.identity;
  if (is_ours || observed_.holder.empty() || is_expired()) return hold();
  term_.reset();
  const auto expires_in = observed_at_ + observed_.duration - now_.steady;
  return wait(std::chrono::ceil<milliseconds>(expires_in));
}

ElectionStep LeaderElection::apply(const election_event::WriteDone& done) {
  if (done.record) {
    observe(*done.record);
    term_ = Term{asked_at_ + options_.renew_deadline, asked_at_ + options_.lease_duration};
    // An answer that took longer than the term makes no leader.
    if (now_.steady >= term_->write_until) term_.reset();
    return wait(options_.retry_period * 2);
  }
  // Somebody else wrote or deleted it, or our last write arrived though its answer did not. One that can't be made for
  // want of its namespace is no news: looking at once would go round without a pause.
  const auto kind = done.record.error().kind;
  const bool was_there = !observed_.resource_version.empty();
  if (kind == kube::Kind::conflict || (kind == kube::Kind::not_found && was_there))
    return election_step::Read{};
  return try_again();
}

void LeaderElection::observe(const LeaseRecord& record) {
  if (record == observed_) return;
  observed_ = record;
  observed_at_ = now_.steady;
}

bool LeaderElection::is_expired() const { return now_.steady >= observed_at_ + observed_.duration; }

/// Writes the lease as ours: renewed, taken over, or made.
ElectionStep LeaderElection::hold() {
  asked_at_ = now_.steady;
  auto record = observed_;
  const auto now = to_micro_time(now_.wall);
  if (record.holder != options_.identity) {
    if (!record.resource_version.empty()) ++record.transitions;
    record.acquired = now;
  }
  record.holder = options_.identity;
  record.duration = options_.lease_duration;
  record.renewed = now;
  if (record.resource_version.empty()) return election_step::Create{std::move(record)};
  return election_step::Update{std::move(record)};
}

/// The retry period, spread, but no longer than until something is decided.
ElectionStep LeaderElection::wait(milliseconds at_most) {
  auto delay = options_.retry_period;
  // Followers spread their reads; a leader keeps its pace.
  if (!term_)
    delay +=
      milliseconds{static_cast<milliseconds::rep>(fraction_ * 0.2 * static_cast<double>(delay.count()))};
  if (term_) at_most = std::min(at_most, std::chrono::ceil<milliseconds>(term_->write_until - now_.steady));
  return election_step::Wait{std::clamp(at_most, milliseconds{1}, delay)};
}

ElectionStep LeaderElection::try_again() { return wait(options_.retry_period * 2); }

std::optional<LeaseRecord> LeaderElection::released(const ElectionNow& now) const {
  if (!term_ || now.steady >= term_->write_until) return std::nullopt;
  auto record = observed_;
  record.holder.clear();
  record.duration = seconds{1};
  record.renewed = to_micro_time(now.wall);
  return record;
}

}  // namespace op::runtime
