#include "relay/tlsrpt/report.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace relay::tlsrpt {
namespace {

using nlohmann::json;

ReportHead head() {
  return {
    "Example Org", "tls@example.org", "relay.example.org", "example.net", Day{std::chrono::days{20'484}},
    "node-1"
  };
}

TEST(TlsReport, IsTheJsonOfSection44) {
  Tally tally(head().day);
  const AppliedPolicy policy{
    "example.net", PolicyType::sts, {"version: STSv1", "mode: testing"}, {"*.mail.example.net"}
  };
  tally.count_success(policy);
  tally.count_failure(
    policy, {ResultType::starttls_not_supported, "192.0.2.1", "mx.example.net", "", "198.51.100.1", ""}
  );
  const auto report = json::parse(make_report(head(), tally.domains().at("example.net")));
  EXPECT_EQ(report, json::parse(R"({
    "organization-name": "Example Org",
    "date-range": {"start-datetime": "2026-01-31T00:00:00Z", "end-datetime": "2026-01-31T23:59:59Z"},
    "contact-info": "tls@example.org",
    "report-id": "20260131.example.net.node-1@relay.example.org",
    "policies": [{
      "policy": {"policy-type": "sts", "policy-string": ["version: STSv1", "mode: testing"],
                 "policy-domain": "example.net", "mx-host": ["*.mail.example.net"]},
      "summary": {"total-successful-session-count": 1, "total-failure-session-count": 1},
      "failure-details": [{"result-type": "starttls-not-supported", "sending-mta-ip": "192.0.2.1",
                           "receiving-mx-hostname": "mx.example.net", "receiving-ip": "198.51.100.1",
                           "failed-session-count": 1}]
    }]})"));
}

TEST(TlsReport, LeavesOutWhatThereIsNot) {
  Tally tally(head().day);
  tally.count_success({"example.net", PolicyType::no_policy_found, {}, {}});
  const auto report = json::parse(make_report(head(), tally.domains().at("example.net")));
  EXPECT_EQ(
    report.at("policies").at(0).at("policy"),
    (json{{"policy-type", "no-policy-found"}, {"policy-domain", "example.net"}})
  );
  EXPECT_FALSE(report.at("policies").at(0).contains("failure-details"));
}

TEST(TlsReport, SurvivesAnOrganizationThatIsNoUtf8) {
  auto odd = head();
  odd.organization = "\xff";
  EXPECT_EQ(json::parse(make_report(odd, {})).at("organization-name"), "\xef\xbf\xbd");
}

TEST(TlsReport, HasAFileNameOfSection51) {
  EXPECT_EQ(file_name(head()), "relay.example.org!example.net!1769817600!1769903999!node-1.json.gz");
}

}  // namespace
}  // namespace relay::tlsrpt
