#include "relay/session/judges.hpp"

#include <chrono>
#include <utility>

#include "relay/session/mending.hpp"

namespace relay::session {
namespace {

using metrics::Counter;
namespace event = smtp::server_event;

/// What a rule refuses for certain, before there is content.
/// @param recipient  null: all mail of this sender
std::optional<mail::Reply> refusal_by_rule(
  const Context& context, const policy::Decision& decision, const mail::Address* recipient
) {
  auto refusal = policy::refusal_of(decision);
  if (refusal) note_rule_refusal(context, *decision.rule, recipient, *refusal);
  return refusal;
}

}  // namespace

event::Verdict Judges::judge_sender(mail::Address reverse_path) {
  forget();
  const auto rules = context_.source.rules();
  context_.user = login_.user(*rules);
  if (auto refusal = context_.services.gate.refuse_message()) return {std::move(refusal)};
  if (rules->sender_bindings) {
    const bool is_hidden = policy::hides_clients(rules->access, context_.client);
    sender_check_.emplace(rules->sender_bindings, policy::Sending{context_.client, is_hidden, context_.user});
    if (auto refusal = sender_check_->judge_sender(reverse_path)) {
      note_rejection(context_, *refusal);
      return {std::move(refusal)};
    }
  }
  if (rules->milters) {
    const Filtering::Client client{rules->hostname, context_.client, context_.auth_type};
    filtering_.emplace(rules->milters, context_.services, client);
  }
  const auto now = std::chrono::time_point_cast<milliseconds>(std::chrono::system_clock::now());
  event::Verdict verdict{std::nullopt, mending_of(*rules, reverse_path, now)};
  if (!rules->policies) return verdict;
  const Policing::Client client{
    context_.client, session_.helo(), session_.has_tls(), context_.user, std::string(context_.listener)
  };
  allowance_.emplace(context_.services.rate_limits);
  // Who may not relay takes nothing of anybody's limits: RCPT refuses him.
  auto* const meter = login_.refuse_client(*rules) ? nullptr : &*allowance_;
  policing_.emplace(rules->policies, client, std::move(reverse_path), meter);
  verdict.refusal = refusal_by_rule(context_, policing_->judge_sender(), nullptr);
  if (verdict.refusal) forget();
  return verdict;
}

event::Verdict Judges::judge_recipient(const mail::Address& recipient) {
  auto refusal = refuse_recipient(recipient);
  if (policing_ && !refusal)
    refusal = refusal_by_rule(context_, policing_->judge_recipient(recipient), &recipient);
  return {std::move(refusal)};
}

std::optional<mail::Reply> Judges::refuse_recipient(const mail::Address& recipient) {
  const auto rules = context_.source.rules();
  auto refusal = login_.refuse_client(*rules);
  auto counter = Counter::recipients_refused_literal;
  if (refusal) {
    // What is refused for now is for want of a login.
    const bool is_hidden =
      refusal->is_permanent() && policy::standing(rules->access, context_.client) == policy::Standing::hidden;
    context_.was_hidden = context_.was_hidden || is_hidden;
    counter = is_hidden ? Counter::recipients_refused_hidden : Counter::recipients_refused_not_listed;
  } else {
    refusal = policy::refuse_recipient(recipient);
    if (!refusal) {
      refusal = policy::refuse_recipient(rules->guard, recipient);
      counter = Counter::recipients_refused_mode;
    }
  }
  if (refusal) note_rejection(context_, recipient, *refusal, counter);
  return refusal;
}

void Judges::see(std::string_view content) {
  if (sender_check_) sender_check_->see(content);
  if (policing_) policing_->see(content);
}

void Judges::see_filtered(std::string_view header) {
  if (policing_) policing_->measure_again(header);
}

std::optional<mail::Reply> Judges::judge_header() {
  if (!sender_check_) return std::nullopt;
  auto refusal = sender_check_->finish();
  if (refusal) note_rejection(context_, *refusal);
  return refusal;
}

Policing::Ending Judges::finish(mail::Envelope& envelope) {
  if (!policing_) return {};
  return policing_->finish(envelope);
}

void Judges::keep_allowance() {
  if (allowance_) allowance_->keep();
}

void Judges::forget() {
  policing_.reset();
  allowance_.reset();
  sender_check_.reset();
  filtering_.reset();
}

}  // namespace relay::session
