#include "relay/tlsrpt/reporter.hpp"

#include <algorithm>

namespace relay::tlsrpt {
namespace {

ReportStep send_step(const ReportKey& key, const ReportTarget& target) {
  if (const auto* address = std::get_if<mail::Address>(&target)) return report_step::SendMail{key, *address};
  return report_step::Post{key, std::get<HttpsTarget>(target)};
}

milliseconds part_of(milliseconds whole, double fraction) {
  return milliseconds{static_cast<milliseconds::rep>(static_cast<double>(whole.count()) * fraction)};
}

}  // namespace

void Reporter::day_turned(Day day, const std::vector<std::string>& domains, SteadyTime now) {
  for (const auto& domain : domains) {
    Job job;
    job.due = now + part_of(kSpread, jitter_.fraction());
    jobs_.try_emplace(ReportKey{day, domain}, std::move(job));
  }
}

void Reporter::record_found(const ReportKey& key, std::vector<ReportTarget> targets) {
  auto* job = find(key, Stage::looking_up);
  if (job == nullptr) return;
  if (targets.empty()) {
    --at_work_;
    return end(*job, Outcome::not_wanted);
  }
  job->targets = std::move(targets);
  job->next_target = 0;
  job->stage = Stage::ready;
}

void Reporter::record_failed(const ReportKey& key, SteadyTime now) {
  if (auto* job = find(key, Stage::looking_up)) fail(*job, now);
}

void Reporter::sent(const ReportKey& key, bool is_taken, SteadyTime now) {
  auto* job = find(key, Stage::sending);
  if (job == nullptr) return;
  if (is_taken) {
    --at_work_;
    return end(*job, Outcome::sent);
  }
  if (++job->next_target < job->targets.size()) job->stage = Stage::ready;
  else fail(*job, now);
}

std::vector<ReportStep> Reporter::plan(SteadyTime now) {
  std::vector<ReportStep> steps;
  for (auto& [key, job] : jobs_) {
    if (job.stage == Stage::waiting && job.due <= now && at_work_ < kAtOnce) {
      if (!job.first_attempt) job.first_attempt = now;
      job.stage = Stage::looking_up;
      ++at_work_;
      steps.emplace_back(report_step::LookUp{key});
    } else if (job.stage == Stage::ready) {
      job.stage = Stage::sending;
      steps.push_back(send_step(key, job.targets[job.next_target]));
    } else if (job.stage == Stage::over) {
      steps.emplace_back(report_step::Drop{key, job.outcome});
    }
  }
  std::erase_if(jobs_, [](const auto& entry) { return entry.second.stage == Stage::over; });
  return steps;
}

std::optional<SteadyTime> Reporter::wake_at() const {
  std::optional<SteadyTime> earliest;
  // While all hands are full only an answer brings something new.
  if (at_work_ >= kAtOnce) return earliest;
  for (const auto& [key, job] : jobs_) {
    if (job.stage == Stage::waiting && (!earliest || job.due < *earliest)) earliest = job.due;
  }
  return earliest;
}

Reporter::Job* Reporter::find(const ReportKey& key, Stage stage) {
  const auto found = jobs_.find(key);
  return found != jobs_.end() && found->second.stage == stage ? &found->second : nullptr;
}

void Reporter::fail(Job& job, SteadyTime now) {
  --at_work_;
  const milliseconds delay = kFirstRetry * (1U << std::min(job.failures, 10U));
  ++job.failures;
  const auto due = now + part_of(delay, 0.9 + 0.2 * jitter_.fraction());
  if (due > *job.first_attempt + kGiveUp) return end(job, Outcome::gave_up);
  job.targets.clear();
  job.due = due;
  job.stage = Stage::waiting;
}

void Reporter::end(Job& job, Outcome outcome) {
  job.stage = Stage::over;
  job.outcome = outcome;
}

}  // namespace relay::tlsrpt
