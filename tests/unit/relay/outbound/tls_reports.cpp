#include "relay/outbound/tls_reports.hpp"

#include <gmock/gmock.h>

#include "tests/support/quiet_log.hpp"

namespace relay::outbound {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr tlsrpt::Day kDay{std::chrono::days{20'484}};  // 2026-01-31

class FakeClock : public Clock {
 public:
  WallTime wall() const override { return kDay + passed; }
  SteadyTime steady() const override { return SteadyTime{passed}; }
  milliseconds passed = 12h;
};
class NoJitter : public Jitter {
 public:
  double fraction() override { return 0; }
};

/// The network and the queue: what is asked is written down, and answered at once.
class FakeWorld : public ReportCarrier, public OwnMail {
 public:
  void look_up(std::string name, std::function<void(Records)> answer) override {
    looked_up.push_back(name);
    answer(records);
  }
  void post(tlsrpt::HttpsTarget to, std::string body, Taken taken) override {
    posts.push_back(tlsrpt::to_text(to) + " " + std::to_string(body.size()));
    taken(takes);
  }
  void submit(mail::Envelope envelope, std::string content, Taken taken) override {
    envelopes.push_back(std::move(envelope));
    contents.push_back(std::move(content));
    taken(takes);
  }

  Records records = std::vector<std::string>{"v=TLSRPTv1; rua=mailto:tls@reports.example"};
  bool takes = true;
  std::vector<std::string> looked_up;
  std::vector<std::string> posts;
  std::vector<mail::Envelope> envelopes;
  std::vector<std::string> contents;
};

class TlsReportsTest : public ::testing::Test, public PlanSource {
 protected:
  TlsReportsTest() { set_from("postmaster@relay.example"); }
  std::shared_ptr<const Plan> plan() const override { return plan_; }
  void set_from(const std::string& from) {
    auto plan = std::make_shared<Plan>();
    if (!from.empty()) plan->tls_report_from = *mail::Address::parse(from);
    plan_ = plan;
  }

  std::unique_ptr<TlsReports> make(const std::string& kept = "") {
    return std::make_unique<TlsReports>(
      TlsReports::Services{*this, world, clock, jitter, log}, "node-1", kept
    );
  }
  void tick(int times = 4) {
    for (int i = 0; i < times; ++i) reports->tick(world);
  }
  /// What is kept, which is the whole tally.
  std::string kept() { return reports->to_keep().value_or("nothing new"); }

  static delivery::Target target(const std::string& policy = "") {
    delivery::Target target;
    target.addresses = {*IpAddress::parse("192.0.2.7")};
    target.tls_policy = policy;
    return target;
  }
  static net::TlsFault fault(net::TlsFailure kind = net::TlsFailure::certificate_expired) {
    return {kind, "certificate has expired", {}, {}};
  }

  FakeClock clock;
  NoJitter jitter;
  FakeWorld world;
  test::QuietLog log;
  std::shared_ptr<const Plan> plan_;
  std::unique_ptr<TlsReports> reports = make();
};

TEST_F(TlsReportsTest, SendTheDayToWhoeverAsksForItWhenItIsOver) {
  reports->tried("a.example", "mx.a.example", target(), std::nullopt);
  reports->tried("a.example", "mx.a.example", target(), fault());
  tick();
  EXPECT_TRUE(world.looked_up.empty()) << "the day is not over";
  clock.passed = 24h;
  tick();
  EXPECT_EQ(world.looked_up, std::vector<std::string>{"_smtp._tls.a.example"});
  ASSERT_EQ(world.envelopes.size(), 1U);
  const auto& envelope = world.envelopes.front();
  EXPECT_EQ(envelope.reverse_path.to_text(), "postmaster@relay.example");
  EXPECT_EQ(envelope.recipients.front().to_text(), "tls@reports.example");
  EXPECT_TRUE(envelope.dsn.of(0).notify.never);
  EXPECT_THAT(world.contents.front(), HasSubstr("TLS-Report-Domain: a.example\r\n"));
  EXPECT_THAT(world.contents.front(), HasSubstr("20260131.a.example.node-1@relay.example"));
  EXPECT_EQ(log.first("tls_report").at("outcome"), "sent");
  clock.passed = 48h;
  tick();
  EXPECT_EQ(world.envelopes.size(), 1U) << "once is enough";
  EXPECT_EQ(kept(), "");
}

TEST_F(TlsReportsTest, SayWhereAndWhyItFailed) {
  auto from_somewhere = target();
  from_somewhere.source = *IpAddress::parse("198.51.100.1");
  reports->tried("a.example", "mx.a.example", from_somewhere, fault());
  const auto text = kept();
  for (const auto* words :
       {"\"certificate-expired\"", "\"certificate has expired\"", "\"mx.a.example\"", "\"192.0.2.7\"",
        "\"198.51.100.1\"", "\"no-policy-found\""})
    EXPECT_THAT(text, HasSubstr(words));
}

TEST_F(TlsReportsTest, AreOfTheMtaStsPolicyInForce) {
  const sts::Policy policy{sts::Mode::enforce, 86400s, {"mx.a.example"}};
  reports->policy_found("a.example", policy);
  reports->tried("a.example", "mx.a.example", target("sts"), std::nullopt);
  const auto text = kept();
  for (const auto* words : {"\"sts\"", "\"mode: enforce\"", "\"mx\":[\"mx.a.example\"]", "\"successes\":1"})
    EXPECT_THAT(text, HasSubstr(words));
}

TEST_F(TlsReportsTest, TellOfHostsThatAPolicyUnderTestDoesNotName) {
  reports->policy_found("a.example", {sts::Mode::testing, 86400s, {"mx.a.example"}});
  reports->tried("a.example", "other.a.example", target("sts"), std::nullopt);
  EXPECT_THAT(kept(), HasSubstr("sts-policy-invalid"));
}

TEST_F(TlsReportsTest, TellOfPoliciesThatCannotBeHad) {
  reports->policy_failed("a.example", sts::Fault::webpki_invalid);
  EXPECT_THAT(kept(), HasSubstr("sts-webpki-invalid"));
}

TEST_F(TlsReportsTest, OfDaneGoToTheOwnerOfTheRecords) {
  auto dane = target("dane");
  dane.demand.server_name = "mx.host.example";
  dane.demand.tlsa = {{3, 1, 1, std::string("\x0a\xff", 2)}};
  reports->tried("a.example", "mx.host.example", dane, fault(net::TlsFailure::tlsa_invalid));
  EXPECT_THAT(kept(), HasSubstr("_25._tcp.mx.host.example. IN TLSA 3 1 1 0aff"));
  clock.passed = 24h;
  tick();
  EXPECT_EQ(world.looked_up, std::vector<std::string>{"_smtp._tls.mx.host.example"});
}

TEST_F(TlsReportsTest, NameEveryFailureAsHandshakesDo) {
  for (int kind = 0; kind <= static_cast<int>(net::TlsFailure::sts_webpki_invalid); ++kind) {
    EXPECT_EQ(
      net::to_result_type(static_cast<net::TlsFailure>(kind)),
      tlsrpt::name(static_cast<tlsrpt::ResultType>(kind))
    );
  }
}

TEST_F(TlsReportsTest, CountNothingWithoutASender) {
  set_from("");
  reports->tried("a.example", "mx.a.example", target(), fault());
  reports->policy_failed("a.example", sts::Fault::fetch_error);
  EXPECT_EQ(kept(), "nothing new");
}

TEST_F(TlsReportsTest, OutliveARestart) {
  reports->tried("a.example", "mx.a.example", target(), fault());
  const auto before = kept();
  reports = make(before);
  EXPECT_EQ(kept(), "nothing new");
  clock.passed = 24h;
  tick();
  EXPECT_EQ(world.envelopes.size(), 1U);
}

TEST_F(TlsReportsTest, GoOnWithoutWhatCannotBeRead) {
  reports = make("{\n");
  EXPECT_EQ(log.records("tls_reports").size(), 1U);
  reports->tried("a.example", "mx.a.example", target(), fault());
  EXPECT_THAT(kept(), HasSubstr("a.example"));
}

TEST_F(TlsReportsTest, ArePostedWhereADomainWantsThat) {
  world.records = std::vector<std::string>{"v=TLSRPTv1; rua=https://r.example/x"};
  reports->tried("a.example", "mx.a.example", target(), fault());
  clock.passed = 24h;
  tick();
  ASSERT_EQ(world.posts.size(), 1U);
  EXPECT_THAT(world.posts.front(), HasSubstr("https://r.example/x "));
}

TEST_F(TlsReportsTest, AreTriedAgainAndThenForgotten) {
  world.records = tl::unexpected(Error{Errc::timed_out, Fate::transient, "no answer"});
  reports->tried("a.example", "mx.a.example", target(), fault());
  clock.passed = 24h;
  tick();
  EXPECT_EQ(world.looked_up.size(), 1U);
  clock.passed += 1h;
  tick();
  EXPECT_EQ(world.looked_up.size(), 2U);
  for (int hours = 0; hours < 96; ++hours) {
    clock.passed += 1h;
    tick();
  }
  EXPECT_EQ(log.first("tls_report").at("outcome"), "gave_up");
  EXPECT_TRUE(world.envelopes.empty());
  EXPECT_EQ(kept(), "");
}

TEST_F(TlsReportsTest, OfDomainsThatWantNoneAreForgotten) {
  world.records = std::vector<std::string>{};
  reports->tried("a.example", "mx.a.example", target(), fault());
  clock.passed = 24h;
  tick();
  EXPECT_EQ(log.first("tls_report").at("outcome"), "not_wanted");
  EXPECT_EQ(kept(), "");
}

TEST_F(TlsReportsTest, OfDaysLongPastAreForgotten) {
  reports->tried("a.example", "mx.a.example", target(), fault());
  tick();
  set_from("");
  clock.passed = 24h * 5;
  tick();
  EXPECT_EQ(kept(), "");
}

}  // namespace
}  // namespace relay::outbound
