#include "relay/tlsrpt/tally.hpp"

#include <gtest/gtest.h>

namespace relay::tlsrpt {
namespace {

constexpr Day kDay{std::chrono::days{20'484}};

AppliedPolicy sts(const std::string& domain) {
  return {domain, PolicyType::sts, {"version: STSv1", "mode: testing"}, {"*.mail." + domain}};
}
Failure expired(const std::string& host) {
  return {ResultType::certificate_expired, "192.0.2.1", host, "", "198.51.100.1", ""};
}
const std::vector<PolicyTally>& of(const Tally& tally, const std::string& domain) {
  return tally.domains().at(domain);
}

TEST(TlsTally, CountsSessionsByPolicyAndDetail) {
  Tally tally(kDay);
  tally.count_success(sts("example.com"));
  tally.count_success(sts("Example.COM"));
  tally.count_failure(sts("example.com"), expired("a.example"));
  tally.count_failure(sts("example.com"), expired("a.example"));
  tally.count_failure(sts("example.com"), expired("b.example"));
  tally.count_success({"example.com", PolicyType::no_policy_found, {}, {}});
  const auto& tallies = of(tally, "example.com");
  ASSERT_EQ(tallies.size(), 2U) << "case tells no policies apart";
  EXPECT_EQ(tallies[0].successes, 2U);
  EXPECT_EQ(tallies[0].failures, 3U);
  ASSERT_EQ(tallies[0].details.size(), 2U);
  EXPECT_EQ(tallies[0].details[0].sessions, 2U);
  EXPECT_EQ(tally.uncounted(), 0U);
}

TEST(TlsTally, SumsUpDetailsBehindTheLimit) {
  Tally tally(kDay, {.details = 2});
  for (const auto* host : {"a", "b", "c", "d", "a"}) tally.count_failure(sts("example.com"), expired(host));
  tally.count_failure(sts("example.com"), {ResultType::dane_required, "", "e", "", "", ""});
  const auto& policy = of(tally, "example.com").front();
  EXPECT_EQ(policy.failures, 6U);
  ASSERT_EQ(policy.details.size(), 4U);
  EXPECT_EQ(policy.details[0].sessions, 2U);
  EXPECT_EQ(policy.details[2].failure.mx_host, "");
  EXPECT_EQ(policy.details[2].sessions, 2U);
  EXPECT_EQ(policy.details[3].failure.result, ResultType::dane_required);
}

TEST(TlsTally, BoundsDomainsPoliciesAndText) {
  Tally domains(kDay, {.domains = 1});
  domains.count_success(sts("a.example"));
  domains.count_success(sts("b.example"));
  domains.count_failure(sts("b.example"), expired("x"));
  EXPECT_EQ(domains.domains().size(), 1U);
  EXPECT_EQ(domains.uncounted(), 2U);

  Tally policies(kDay, {.policies = 1});
  policies.count_success(sts("a.example"));
  policies.count_success({"a.example", PolicyType::tlsa, {"3 1 1 00"}, {}});
  EXPECT_EQ(policies.uncounted(), 1U);

  Tally text(kDay, {.octets = 1000});
  for (int i = 0; i < 10; ++i) text.count_success(sts("domain" + std::to_string(i) + ".example"));
  EXPECT_LT(text.domains().size(), 4U);
  EXPECT_EQ(text.uncounted() + text.domains().size(), 10U);
  const auto first = text.domains().begin()->first;
  text.forget(first);
  const auto before = text.uncounted();
  text.count_success(sts("later.example"));
  EXPECT_EQ(text.uncounted(), before) << "what is forgotten makes room";
}

TEST(TlsTally, KeepsNoControlCharactersOfPeers) {
  Tally tally(kDay);
  tally.count_failure(
    {"example.com", PolicyType::sts, {"mode:\x1b"}, {}},
    {ResultType::validation_failure, "", "", "\xff\r\n" + std::string(1000, 'x'), "", ""}
  );
  const auto& policy = of(tally, "example.com").front();
  EXPECT_EQ(policy.policy.strings.front(), "mode:?");
  EXPECT_EQ(policy.details.front().failure.mx_helo, "???" + std::string(252, 'x'));
}

TEST(TlsTally, SurvivesARestart) {
  Tally tally(kDay);
  tally.count_success(sts("example.com"));
  tally.count_failure(sts("example.com"), expired("a.example"));
  tally.count_failure({"b.example", PolicyType::tlsa, {"3 1 1 00"}, {}}, expired("b"));
  const auto read = Tally::from_json(tally.to_json());
  ASSERT_TRUE(read) << read.error().context;
  EXPECT_EQ(read->day(), kDay);
  EXPECT_EQ(read->to_json(), tally.to_json());
  EXPECT_EQ(of(*read, "example.com").front().failures, 1U);
  EXPECT_EQ(of(*read, "example.com").front().policy, sts("example.com"));
}

TEST(TlsTally, AddsWhatAnotherThreadCounted) {
  Tally tally(kDay);
  Tally other(kDay, {.domains = 2});
  tally.count_failure(sts("example.com"), expired("a"));
  other.count_failure(sts("example.com"), expired("a"));
  other.count_success(sts("example.com"));
  other.count_success(sts("b.example"));
  other.count_success(sts("c.example"));
  tally.add(other);
  const auto& policy = of(tally, "example.com").front();
  EXPECT_EQ(policy.failures, 2U);
  EXPECT_EQ(policy.successes, 1U);
  EXPECT_EQ(policy.details.size(), 1U);
  EXPECT_EQ(tally.domains().size(), 2U);
  EXPECT_EQ(tally.uncounted(), 1U);
}

TEST(TlsTally, RefusesWhatIsNoTally) {
  for (const auto* text :
       {"", "[]", "{}", "{\"day\":1,\"uncounted\":0,\"policies\":[{}]}",
        "{\"day\":\"x\",\"uncounted\":0,\"policies\":[]}",
        "{\"day\":1,\"uncounted\":0,\"policies\":[{\"domain\":\"a\",\"type\":\"new\",\"strings\":[],\"mx\":[]"
        ","
        "\"successes\":1,\"details\":[]}]}",
        "\xff\xfe"}) {
    const auto read = Tally::from_json(text);
    ASSERT_FALSE(read) << text;
    EXPECT_EQ(read.error().code, Errc::corrupt);
  }
}

}  // namespace
}  // namespace relay::tlsrpt
