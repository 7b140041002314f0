#include "relay/tlsrpt/report.hpp"

#include <cstdio>
#include <nlohmann/json.hpp>

#include "relay/base/text.hpp"

namespace relay::tlsrpt {
namespace {

using nlohmann::ordered_json;

/// `2026-01-31`, or `20260131` with an empty separator.
std::string date_text(Day day, const char* separator) {
  const std::chrono::year_month_day date{day};
  char text[48];
  std::snprintf(
    text, sizeof text, "%04d%s%02u%s%02u", static_cast<int>(date.year()), separator,
    static_cast<unsigned>(date.month()), separator, static_cast<unsigned>(date.day())
  );
  return text;
}

std::chrono::sys_seconds begin_of(Day day) { return day; }
std::chrono::sys_seconds end_of(Day day) { return day + std::chrono::days{1} - seconds{1}; }

ordered_json detail_fields(const Detail& detail) {
  const auto& failure = detail.failure;
  ordered_json fields{{"result-type", name(failure.result)}};
  const auto add = [&](const char* key, const std::string& value) {
    if (!value.empty()) fields[key] = value;
  };
  add("sending-mta-ip", failure.sending_ip);
  add("receiving-mx-hostname", failure.mx_host);
  add("receiving-mx-helo", failure.mx_helo);
  add("receiving-ip", failure.receiving_ip);
  fields["failed-session-count"] = detail.sessions;
  add("failure-reason-code", failure.reason);
  return fields;
}

ordered_json policy_fields(const AppliedPolicy& policy) {
  ordered_json fields{{"policy-type", name(policy.type)}};
  if (!policy.strings.empty()) fields["policy-string"] = policy.strings;
  fields["policy-domain"] = policy.domain;
  if (!policy.mx_patterns.empty()) fields["mx-host"] = policy.mx_patterns;
  return fields;
}

ordered_json tally_fields(const PolicyTally& tally) {
  ordered_json fields{{"policy", policy_fields(tally.policy)}};
  fields["summary"] = {
    {"total-successful-session-count", tally.successes}, {"total-failure-session-count", tally.failures}
  };
  if (tally.details.empty()) return fields;
  auto details = ordered_json::array();
  for (const auto& detail : tally.details) details.push_back(detail_fields(detail));
  fields["failure-details"] = std::move(details);
  return fields;
}

}  // namespace

std::string report_id(const ReportHead& head) {
  return date_text(head.day, "") + "." + head.domain + "." + head.unique + "@" + head.submitter;
}

std::string file_name(const ReportHead& head) {
  return head.submitter + "!" + head.domain + "!" +
         std::to_string(begin_of(head.day).time_since_epoch().count()) + "!" +
         std::to_string(end_of(head.day).time_since_epoch().count()) + "!" + head.unique + ".json.gz";
}

std::string make_report(const ReportHead& head, const std::vector<PolicyTally>& tallies) {
  auto policies = ordered_json::array();
  for (const auto& tally : tallies) policies.push_back(tally_fields(tally));
  const auto date = date_text(head.day, "-");
  const ordered_json report{
    {"organization-name", head.organization},
    {"date-range", {{"start-datetime", date + "T00:00:00Z"}, {"end-datetime", date + "T23:59:59Z"}}},
    {"contact-info", head.contact},
    {"report-id", report_id(head)},
    {"policies", std::move(policies)},
  };
  return report.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

}  // namespace relay::tlsrpt
