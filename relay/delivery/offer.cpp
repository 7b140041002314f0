#include "relay/delivery/offer.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

namespace relay::delivery {
namespace {

using smtp::Disposition;

/// Or this host alone cannot take it.
bool is_put_off(const smtp::RecipientOutcome& recipient) {
  return recipient.disposition == Disposition::deferred || recipient.is_of_this_host;
}

/// Whether the host said so, and not we, for want of the content.
bool is_judged(const smtp::MessageOutcome& outcome, const smtp::RecipientOutcome& recipient) {
  const bool is_ours = outcome.unreadable && recipient.stage == smtp::Stage::content;
  return recipient.disposition != Disposition::untried && !is_ours;
}

}  // namespace

bool may_offer_again(const smtp::MessageOutcome& outcome) {
  if (outcome.may_be_duplicated || outcome.unreadable) return false;
  return std::any_of(outcome.recipients.begin(), outcome.recipients.end(), is_put_off);
}

bool is_of_that_host(const smtp::MessageOutcome& outcome) {
  const auto& all = outcome.recipients;
  return !all.empty() && std::all_of(all.begin(), all.end(), [](const smtp::RecipientOutcome& recipient) {
    return recipient.is_of_this_host;
  });
}

void note_answers(Job& job, const smtp::MessageOutcome& outcome) {
  if (job.so_far.recipients.empty()) {
    job.so_far = outcome;
    job.open.resize(outcome.recipients.size());
    std::iota(job.open.begin(), job.open.end(), std::size_t{0});
    return;
  }
  job.so_far.may_be_duplicated = job.so_far.may_be_duplicated || outcome.may_be_duplicated;
  for (std::size_t i = 0; i < outcome.recipients.size(); ++i) {
    const auto& now = outcome.recipients[i];
    auto& before = job.so_far.recipients[job.open[i]];
    const bool may_come_again = before.disposition == Disposition::deferred && now.is_of_this_host;
    if (is_judged(outcome, now) && !may_come_again) before = now;
  }
}

void leave_open(Job& job) {
  for (auto& recipient : job.so_far.recipients) {
    if (!std::exchange(recipient.is_of_this_host, false)) continue;
    recipient.disposition = Disposition::deferred;
    recipient.reply.code = 450;
    if (recipient.reply.status) recipient.reply.status->status_class = 4;
  }
}

void keep_deferred(Job& job, const smtp::MessageOutcome& outcome) {
  std::vector<std::size_t> open;
  std::vector<mail::Address> recipients;
  std::vector<mail::RecipientDsn> dsn;
  for (std::size_t i = 0; i < outcome.recipients.size(); ++i) {
    if (!is_put_off(outcome.recipients[i])) continue;
    open.push_back(job.open[i]);
    recipients.push_back(job.message.recipients[i]);
    dsn.push_back(job.message.dsn.of(i));
  }
  job.open = std::move(open);
  job.message.recipients = std::move(recipients);
  if (!job.message.dsn.recipients.empty()) job.message.dsn.recipients = std::move(dsn);
}

smtp::MessageOutcome whole_outcome(const Job& job, smtp::MessageOutcome last) {
  return job.so_far.recipients.empty() ? std::move(last) : job.so_far;
}

smtp::MessageOutcome judged(const Job& job, const mail::Reply& verdict) {
  const auto stage = smtp::Stage::connect;
  if (job.so_far.recipients.empty()) {
    smtp::MessageOutcome outcome;
    outcome.recipients.assign(job.message.recipients.size(), {Disposition::failed, stage, verdict});
    return outcome;
  }
  return {};
}

}  // namespace relay::delivery
