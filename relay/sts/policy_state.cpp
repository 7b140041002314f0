#include "relay/sts/policy_state.hpp"

#include <algorithm>

namespace relay::sts {

Fault fault_of(const Error& error) {
  if (error.code == Errc::tls_failed) return Fault::webpki_invalid;
  const bool is_invalid = error.code == Errc::protocol_error || error.code == Errc::too_large;
  return is_invalid ? Fault::policy_invalid : Fault::fetch_error;
}

std::string_view name(Fault fault) {
  switch (fault) {
    case Fault::fetch_error: return "sts-policy-fetch-error";
    case Fault::policy_invalid: return "sts-policy-invalid";
    case Fault::webpki_invalid: return "sts-webpki-invalid";
  }
  return "sts-policy-fetch-error";
}

bool PolicyState::ask(const Now& now) {
  if (is_busy()) return false;
  const auto interval = is_refused_ ? milliseconds{kShortRecordInterval} : record_interval_;
  if (looked_up_at_ && now.steady < *looked_up_at_ + interval) return false;
  doing_ = Doing::looking_up;
  holds_mail_ = is_refused_;
  is_refused_ = false;
  return true;
}

bool PolicyState::looked_up(const RecordAnswer& answer, const Now& now) {
  const auto* found = std::get_if<record::Found>(&answer);
  const bool has_policy = policy(now.wall) != nullptr;
  doing_ = Doing::nothing;
  looked_up_at_ = now.steady;
  record_interval_ = std::holds_alternative<record::Failed>(answer) ? kShortRecordInterval : kRecordInterval;

  const bool is_new = found != nullptr && (!has_policy || found->id != cached_->id);
  holds_mail_ = holds_mail_ && is_new;
  // A refresh does not depend on the record: whoever can hide that would make the policy run out.
  if (!is_new && !(has_policy && is_refresh_due(now.wall))) return false;
  wanted_id_ = found != nullptr ? found->id : cached_->id;
  if (!may_fetch(wanted_id_, now.steady)) return false;
  doing_ = Doing::fetching;
  return true;
}

bool PolicyState::fetched(Result<Policy> policy, const Now& now) {
  doing_ = Doing::nothing;
  holds_mail_ = false;
  looked_up_at_ = now.steady;
  if (!policy) {
    failure_ = Failure{wanted_id_, now.steady};
    return false;
  }
  failure_.reset();
  cached_ = Cached{std::move(*policy), wanted_id_, now.wall};
  return true;
}

void PolicyState::put_off() {
  doing_ = Doing::nothing;
  holds_mail_ = false;
  looked_up_at_.reset();
}

const Policy* PolicyState::policy(WallTime now) const {
  if (!cached_) return nullptr;
  // A clock that was set back makes nothing older than it is, and nothing live longer than its max_age from now.
  const auto age = std::max(now - cached_->fetched, milliseconds{0});
  return age <= cached_->policy.max_age ? &cached_->policy : nullptr;
}

bool PolicyState::must_wait(WallTime now) const {
  return is_busy() && (holds_mail_ || policy(now) == nullptr);
}

bool PolicyState::is_refresh_due(WallTime now) const {
  if (!cached_) return false;
  const milliseconds interval = std::min<milliseconds>(kRefreshInterval, cached_->policy.max_age / 2);
  return now < cached_->fetched || now - cached_->fetched >= interval;
}

bool PolicyState::may_fetch(const std::string& id, SteadyTime now) const {
  return !failure_ || failure_->id != id || now >= failure_->at + kFetchInterval;
}

}  // namespace relay::sts
