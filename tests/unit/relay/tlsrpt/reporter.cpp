#include "relay/tlsrpt/reporter.hpp"

#include <gtest/gtest.h>

namespace relay::tlsrpt {
namespace {

using namespace std::chrono_literals;

constexpr Day kDay{std::chrono::days{20'484}};

class FixedJitter : public Jitter {
 public:
  double fraction() override { return value; }
  double value = 0.5;
};

class TlsReporter : public ::testing::Test {
 protected:
  std::string plan() {
    std::string text;
    for (const auto& step : reporter.plan(now)) text += (text.empty() ? "" : ", ") + std::visit(Text{}, step);
    return text;
  }
  static ReportKey key(const std::string& domain) { return {kDay, domain}; }
  static std::vector<ReportTarget> targets(const std::string& rua) {
    return parse_tlsrpt_record({"v=TLSRPTv1;rua=" + rua});
  }

  FixedJitter jitter;
  Reporter reporter{jitter};
  SteadyTime now{1h};

 private:
  struct Text {
    std::string operator()(const report_step::LookUp& step) const { return "look up " + step.key.domain; }
    std::string operator()(const report_step::SendMail& step) const { return "mail " + step.to.to_text(); }
    std::string operator()(const report_step::Post& step) const { return "post " + step.to.host; }
    std::string operator()(const report_step::Drop& step) const {
      return "drop " + step.key.domain + " " + std::to_string(static_cast<int>(step.outcome));
    }
  };
};

TEST_F(TlsReporter, SendsAReportToWhoAsksForIt) {
  reporter.day_turned(kDay, {"a.example"}, now);
  EXPECT_EQ(plan(), "");
  EXPECT_EQ(reporter.wake_at(), now + 2h) << "half of four hours";
  now += 2h;
  EXPECT_EQ(plan(), "look up a.example");
  EXPECT_EQ(plan(), "");
  reporter.record_found(key("a.example"), targets("mailto:r@a.example,https://r.example/"));
  EXPECT_EQ(plan(), "mail r@a.example");
  reporter.sent(key("a.example"), true, now);
  EXPECT_EQ(plan(), "drop a.example 0");
  EXPECT_EQ(reporter.size(), 0U);
  EXPECT_FALSE(reporter.wake_at());
}

TEST_F(TlsReporter, DropsWhatNobodyWants) {
  jitter.value = 0;
  reporter.day_turned(kDay, {"a.example"}, now);
  EXPECT_EQ(plan(), "look up a.example");
  reporter.record_found(key("a.example"), {});
  EXPECT_EQ(plan(), "drop a.example 1");
}

TEST_F(TlsReporter, TriesEachDestinationAndThenAgainLater) {
  jitter.value = 0;
  reporter.day_turned(kDay, {"a.example"}, now);
  EXPECT_EQ(plan(), "look up a.example");
  reporter.record_found(key("a.example"), targets("https://r.example/,mailto:r@a.example"));
  EXPECT_EQ(plan(), "post r.example");
  reporter.sent(key("a.example"), false, now);
  EXPECT_EQ(plan(), "mail r@a.example");
  jitter.value = 0.5;
  reporter.sent(key("a.example"), false, now);
  EXPECT_EQ(plan(), "");
  EXPECT_EQ(reporter.wake_at(), now + Reporter::kFirstRetry);
  now += Reporter::kFirstRetry;
  EXPECT_EQ(plan(), "look up a.example");
  reporter.record_failed(key("a.example"), now);
  EXPECT_EQ(reporter.wake_at(), now + 2 * Reporter::kFirstRetry);
}

TEST_F(TlsReporter, GivesUpBehindADay) {
  reporter.day_turned(kDay, {"a.example"}, now);
  now += 2h;
  const auto first = now;
  std::string planned = plan();
  int attempts = 0;
  while (planned == "look up a.example" && ++attempts < 100) {
    reporter.record_failed(key("a.example"), now);
    if (const auto wake = reporter.wake_at()) now = *wake;
    planned = plan();
  }
  EXPECT_EQ(planned, "drop a.example 2");
  EXPECT_EQ(attempts, 7) << "behind 15, 30, 60, 120, 240 and 480 minutes";
  EXPECT_LE(now, first + Reporter::kGiveUp);
}

TEST_F(TlsReporter, WorksOnFewAtATime) {
  jitter.value = 0;
  reporter.day_turned(kDay, {"a", "b", "c", "d", "e", "f"}, now);
  EXPECT_EQ(plan(), "look up a, look up b, look up c, look up d");
  EXPECT_FALSE(reporter.wake_at());
  reporter.record_found(key("b"), {});
  EXPECT_EQ(plan(), "drop b 1, look up e");
  reporter.record_failed(key("a"), now);
  EXPECT_EQ(plan(), "look up f");
}

TEST_F(TlsReporter, IgnoresWhatItKnowsAndWhatItDidNotAsk) {
  jitter.value = 0;
  reporter.day_turned(kDay, {"a"}, now);
  EXPECT_EQ(plan(), "look up a");
  reporter.day_turned(kDay, {"a"}, now);
  reporter.sent(key("a"), true, now);
  reporter.record_found(key("nobody"), targets("mailto:r@a.example"));
  EXPECT_EQ(plan(), "");
  reporter.day_turned(kDay + std::chrono::days{1}, {"a"}, now);
  EXPECT_EQ(plan(), "look up a") << "of another day";
}

}  // namespace
}  // namespace relay::tlsrpt
