#include "relay/outbound/tls_reports.hpp"

#include <algorithm>
#include <array>

#include "relay/base/text.hpp"

namespace relay::outbound {
namespace {

using tlsrpt::AppliedPolicy;
using tlsrpt::Day;
using tlsrpt::PolicyType;
using tlsrpt::ResultType;

// Both are RFC 8460 section 4.3, in its order; a test compares their names.
static_assert(
  static_cast<int>(net::TlsFailure::sts_webpki_invalid) == static_cast<int>(ResultType::sts_webpki_invalid)
);
ResultType result_of(net::TlsFailure failure) { return static_cast<ResultType>(failure); }

ResultType result_of(sts::Fault fault) {
  switch (fault) {
    case sts::Fault::fetch_error: return ResultType::sts_policy_fetch_error;
    case sts::Fault::policy_invalid: return ResultType::sts_policy_invalid;
    case sts::Fault::webpki_invalid: break;
  }
  return ResultType::sts_webpki_invalid;
}

std::string_view name(tlsrpt::Outcome outcome) {
  switch (outcome) {
    case tlsrpt::Outcome::sent: return "sent";
    case tlsrpt::Outcome::not_wanted: return "not_wanted";
    case tlsrpt::Outcome::gave_up: break;
  }
  return "gave_up";
}

std::string hex(std::string_view octets) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (const char c : octets) {
    const auto octet = static_cast<unsigned char>(c);
    text += {kDigits[octet >> 4U], kDigits[octet & 0x0FU]};
  }
  return text;
}

/// In the presentation format of RFC 6698 section 2.2.
AppliedPolicy dane_policy(const net::TlsDemand& demand) {
  AppliedPolicy policy{demand.server_name, PolicyType::tlsa, {}, {}};
  for (const auto& record : demand.tlsa) {
    policy.strings.push_back(
      "_25._tcp." + demand.server_name + ". IN TLSA " + std::to_string(record.usage) + " " +
      std::to_string(record.selector) + " " + std::to_string(record.matching) + " " + hex(record.data)
    );
  }
  return policy;
}

/// What report_id() and file_name() take.
std::string label_of(const std::string& node) {
  std::string label;
  for (const char c : node.substr(0, 63)) label += is_alnum(c) ? c : '-';
  return label.empty() ? "relay" : label;
}

}  // namespace

TlsReports::TlsReports(Services services, const std::string& node, const std::string& kept)
    : services_(services), unique_(label_of(node)), reporter_(services.jitter) {
  for (const auto line : split(kept, '\n')) {
    auto tally = tlsrpt::Tally::from_json(line);
    if (tally) {
      const auto day = tally->day();
      days_.emplace(day, std::move(*tally));
    } else {
      services_.log.write(log::warning("tls_reports").with("error", tally.error().message()));
    }
  }
}

Day TlsReports::today() const { return std::chrono::floor<std::chrono::days>(services_.clock.wall()); }
bool TlsReports::is_on() const { return !services_.plans.plan()->tls_report_from.is_null(); }

// ---- what happens ----

void TlsReports::policy_found(const std::string& domain, const sts::Policy& policy) {
  if (!is_on()) return;
  const auto before = known(domain);
  if (before && before->policy == policy) return;
  AppliedPolicy applied{domain, PolicyType::sts, sts::to_lines(policy), policy.mx};
  auto made = std::make_shared<const KnownPolicy>(KnownPolicy{policy, std::move(applied)});
  const std::scoped_lock lock(mutex_);
  if (policies_.size() >= kMaxPolicies && !policies_.contains(domain)) policies_.erase(policies_.begin());
  policies_[domain] = std::move(made);
}

void TlsReports::tried(
  const std::string& domain, const std::string& host, const delivery::Target& target,
  const std::optional<net::TlsFault>& fault
) {
  if (!is_on()) return;
  tlsrpt::Failure failure;
  failure.mx_host = host;
  if (target.source) failure.sending_ip = target.source->to_text();
  if (target.addresses.size() == 1) failure.receiving_ip = target.addresses.front().to_text();
  if (fault) {
    failure.result = result_of(fault->kind);
    failure.reason = fault->reason;
  }
  const auto failed = [&failure](bool has) { return has ? std::optional(failure) : std::nullopt; };
  if (target.tls_policy == "dane") return count(dane_policy(target.demand), failed(fault.has_value()));
  if (target.tls_policy != "sts")
    return count({domain, PolicyType::no_policy_found, {}, {}}, failed(fault.has_value()));
  const auto policy = known(domain);
  if (!policy) return count({domain, PolicyType::sts, {}, {}}, failed(fault.has_value()));
  // Under a policy that is being tested mail goes to such a host all the same (RFC 8461 section 5).
  const bool is_stranger = !fault && !sts::matches(policy->policy, host);
  if (is_stranger) {
    failure.result = ResultType::sts_policy_invalid;
    failure.reason = "the policy does not name this host";
  }
  count(policy->applied, failed(fault || is_stranger));
}

void TlsReports::policy_failed(const std::string& domain, sts::Fault fault) {
  if (!is_on()) return;
  tlsrpt::Failure failure;
  failure.result = result_of(fault);
  const auto policy = known(domain);
  count(policy ? policy->applied : AppliedPolicy{domain, PolicyType::sts, {}, {}}, failure);
}

void TlsReports::count(const AppliedPolicy& policy, const std::optional<tlsrpt::Failure>& failure) {
  const auto day = today();
  const std::scoped_lock lock(mutex_);
  auto& tally = fresh_.try_emplace(day, day).first->second;
  if (failure) tally.count_failure(policy, *failure);
  else tally.count_success(policy);
}

std::shared_ptr<const TlsReports::KnownPolicy> TlsReports::known(const std::string& domain) const {
  const std::scoped_lock lock(mutex_);
  const auto found = policies_.find(domain);
  return found == policies_.end() ? nullptr : found->second;
}

void TlsReports::answer(std::function<void(SteadyTime)> event) {
  const std::scoped_lock lock(mutex_);
  answers_.push_back(std::move(event));
}

// ---- the control thread ----

void TlsReports::tick(OwnMail& mail) {
  take_in();
  close_days();
  if (!is_on()) return;
  for (const auto& step : reporter_.plan(services_.clock.steady())) {
    if (const auto* send = std::get_if<tlsrpt::report_step::SendMail>(&step)) perform(*send, mail);
    else if (const auto* look = std::get_if<tlsrpt::report_step::LookUp>(&step)) perform(*look);
    else if (const auto* post = std::get_if<tlsrpt::report_step::Post>(&step)) perform(*post);
    else perform(std::get<tlsrpt::report_step::Drop>(step));
  }
}

/// Shards wait for no more than a swap: what they count is put together here.
void TlsReports::take_in() {
  std::map<Day, tlsrpt::Tally> fresh;
  std::vector<std::function<void(SteadyTime)>> answers;
  {
    const std::scoped_lock lock(mutex_);
    fresh.swap(fresh_);
    answers.swap(answers_);
  }
  for (const auto& [day, tally] : fresh) {
    days_.try_emplace(day, day).first->second.add(tally);
    closed_.erase(day);
    is_changed_ = true;
  }
  for (const auto& event : answers) event(services_.clock.steady());
}

void TlsReports::close_days() {
  const auto now = today();
  is_changed_ |= std::erase_if(days_, [now](const auto& day) { return day.first + kMaxAge < now; }) > 0;
  std::erase_if(closed_, [this](Day day) { return !days_.contains(day); });
  for (const auto& [day, tally] : days_) {
    if (day >= now || !closed_.insert(day).second) continue;
    std::vector<std::string> domains;
    for (const auto& [domain, counts] : tally.domains()) domains.push_back(domain);
    reporter_.day_turned(day, domains, services_.clock.steady());
  }
}

void TlsReports::perform(const tlsrpt::report_step::LookUp& step) {
  services_.carrier.look_up(
    tlsrpt::record_name(step.key.domain),
    [this, key = step.key](const ReportCarrier::Records& records) {
      answer([this, key, records](SteadyTime now) {
        const bool is_unknown = !records && records.error().fate == Fate::transient;
        if (is_unknown) return reporter_.record_failed(key, now);
        reporter_.record_found(
          key, records ? tlsrpt::parse_tlsrpt_record(*records) : std::vector<tlsrpt::ReportTarget>{}
        );
      });
    }
  );
}

/// Nobody is told when it can't be delivered: a report of a report would come back to us as mail.
void TlsReports::perform(const tlsrpt::report_step::SendMail& step, OwnMail& mail) {
  const auto text = report(step.key);
  if (text.empty()) return taken(step.key)(false);
  mail::Envelope envelope;
  envelope.reverse_path = services_.plans.plan()->tls_report_from;
  envelope.recipients = {step.to};
  envelope.dsn.recipients.resize(1);
  envelope.dsn.recipients.front().notify.never = true;
  auto content =
    tlsrpt::make_mail({envelope.reverse_path, step.to, services_.clock.wall()}, head(step.key), text);
  mail.submit(std::move(envelope), std::move(content), taken(step.key));
}

void TlsReports::perform(const tlsrpt::report_step::Post& step) {
  const auto text = report(step.key);
  if (text.empty()) return taken(step.key)(false);
  services_.carrier.post(step.to, tlsrpt::gzip(text), taken(step.key));
}

void TlsReports::perform(const tlsrpt::report_step::Drop& step) {
  const auto& [day, domain] = step.key;
  const auto level = step.outcome == tlsrpt::Outcome::sent      ? log::Level::info
                     : step.outcome == tlsrpt::Outcome::gave_up ? log::Level::warning
                                                                : log::Level::debug;
  services_.log.write(log::Record(level, "tls_report")
                        .with("domain", domain)
                        .with("day", to_rfc3339(day).substr(0, 10))
                        .with("outcome", name(step.outcome)));
  const auto tally = days_.find(day);
  if (tally == days_.end()) return;
  tally->second.forget(domain);
  if (tally->second.domains().empty() && day < today()) days_.erase(tally);
  is_changed_ = true;
}

Taken TlsReports::taken(const Key& key) {
  return [this, key](bool is_taken) {
    answer([this, key, is_taken](SteadyTime now) { reporter_.sent(key, is_taken, now); });
  };
}

tlsrpt::ReportHead TlsReports::head(const Key& key) const {
  const auto from = services_.plans.plan()->tls_report_from;
  return {from.domain(), from.to_text(), from.domain(), key.domain, key.day, unique_};
}

std::string TlsReports::report(const Key& key) const {
  const auto tally = days_.find(key.day);
  if (tally == days_.end()) return "";
  const auto counts = tally->second.domains().find(key.domain);
  return counts == tally->second.domains().end() ? "" : tlsrpt::make_report(head(key), counts->second);
}

std::optional<std::string> TlsReports::to_keep() {
  take_in();
  if (!std::exchange(is_changed_, false)) return std::nullopt;
  std::string text;
  for (const auto& [day, tally] : days_) text += tally.to_json() + "\n";
  return text;
}

}  // namespace relay::outbound
