/// What TLS the ways demand: DANE, MTA-STS and rules, with the lookups behind them.

#include "relay/outbound/ways.hpp"
#include "tests/unit/relay/outbound/ways_fixture.hpp"

namespace relay::outbound {
namespace {

using smtp::TlsMode;

constexpr int kServfail = 2;

/// A domain with one mail server; `signed.test` has another in a zone that DNSSEC secures.
class WaysTlsTest : public WaysTest {
 protected:
  WaysTlsTest() {
    add_domain("example.org");
    anchor = zone.anchor();
    zone.add("signed.test", net::kTypeMx, {test::mx_rdata(10, "mx.signed.test")});
    zone.add("mx.signed.test", net::kTypeA, {a_rdata("192.0.2.2")});
  }
  std::string terms(const std::string& destination) {
    const auto target = resolve_first(destination);
    if (!target) return text(target.error());
    static const std::map<TlsMode, std::string> kModes{
      {TlsMode::none, "none"},
      {TlsMode::opportunistic, "opportunistic"},
      {TlsMode::encrypted, "encrypted"},
      {TlsMode::required, "required"},
      {TlsMode::implicit, "implicit"}
    };
    static const std::map<net::Verify, std::string> kVerify{
      {net::Verify::none, "nothing"}, {net::Verify::certificate, "certificate"}, {net::Verify::dane, "dane"}
    };
    return kModes.at(target->policy.tls) + " " + kVerify.at(target->demand.verify) +
           (target->demand.is_tested ? " tested" : "") +
           (target->tls_policy.empty() ? "" : " by " + target->tls_policy);
  }

  test::SignedZone zone{server, "signed.test"};
};

TEST_F(WaysTlsTest, IsOpportunisticWithoutMore) {
  EXPECT_EQ(terms("mx/example.org"), "opportunistic nothing");
}

TEST_F(WaysTlsTest, IsWhatTheSettingsSay) {
  plan.mx.tls = MxTls::none;
  EXPECT_EQ(terms("mx/example.org"), "none nothing");
  plan.mx.tls = MxTls::required;
  EXPECT_EQ(terms("mx/example.org"), "required certificate");
}

TEST_F(WaysTlsTest, IsWhatARuleForTheDomainSays) {
  policies.publish("example.org", "enforce", "other.test");
  plan.rules.resize(1);
  plan.rules[0].domains = {"example.org"};
  EXPECT_EQ(terms("mx/example.org"), "waits") << "a rule that says nothing of TLS";
  plan.rules[0].tls = MxTls::opportunistic;
  EXPECT_EQ(terms("mx/example.org"), "opportunistic nothing");
  plan.rules[0].tls = MxTls::none;
  EXPECT_EQ(terms("mx/example.org"), "none nothing");
}

TEST_F(WaysTlsTest, IsWhatARuleForTheProviderSays) {
  plan.providers = {{{"big", {"*.example.org"}}, {}}};
  plan.rules.resize(1);
  plan.rules[0].providers = {"big"};
  plan.rules[0].tls = MxTls::required;
  EXPECT_EQ(terms("mx/example.org"), "required certificate");
}

TEST_F(WaysTlsTest, AreProvenByDnssecOrAnEnforcedPolicyForMailThatDemandsTls) {
  zone.add("_25._tcp.mx.signed.test", net::kTypeTlsa, {tlsa_rdata(3)});
  EXPECT_TRUE(resolve_first("mx/signed.test").value().policy.is_proven);
  EXPECT_FALSE(resolve_first("mx/example.org").value().policy.is_proven);
  plan.mx.tls = MxTls::required;
  EXPECT_FALSE(resolve_first("mx/example.org").value().policy.is_proven)
    << "a certificate of whoever the DNS named";
}

TEST_F(WaysTlsTest, AreNotProvenByAPolicyThatIsTested) {
  policies.publish("example.org", "testing", "*.example.org");
  EXPECT_FALSE(resolve_first("mx/example.org").value().policy.is_proven);
}

TEST_F(WaysTlsTest, AsksForNoPolicyThatWouldNotCount) {
  plan.mx.tls = MxTls::opportunistic;
  EXPECT_EQ(terms("mx/example.org"), "opportunistic nothing");
  EXPECT_EQ(policies.asked(), 0);
}

TEST_F(WaysTlsTest, FollowsAPolicyThatIsEnforcedCase130) {
  policies.publish("example.org", "enforce", "*.example.org");
  EXPECT_EQ(terms("mx/example.org"), "required certificate by sts");
  EXPECT_TRUE(resolve_first("mx/example.org").value().policy.is_proven);
  EXPECT_TRUE(tried.lines().empty());
}

TEST_F(WaysTlsTest, KeepsMailFromAHostThatThePolicyDoesNotNameCase130) {
  policies.publish("example.org", "enforce", "other.test");
  EXPECT_EQ(terms("mx/example.org"), "waits");
  EXPECT_EQ(tried.lines(), std::vector<std::string>{"example.org mx.example.org sts sts-policy-invalid"})
    << "for reports (RFC 8460)";
}

TEST_F(WaysTlsTest, AsksForANewerPolicyOnceOneKeptMailBackCase130) {
  policies.publish("example.org", "enforce", "other.test");
  EXPECT_EQ(terms("mx/example.org"), "waits");
  policies.publish("example.org", "enforce", "mx.example.org");
  clock.pass(1h);
  EXPECT_EQ(terms("mx/example.org"), "required certificate by sts") << "RFC 8461 section 5.1";
}

TEST_F(WaysTlsTest, DeliversUnderAPolicyThatIsTestedCase130) {
  policies.publish("example.org", "testing", "other.test");
  EXPECT_EQ(terms("mx/example.org"), "opportunistic certificate tested by sts");
}

TEST_F(WaysTlsTest, TakesNoNoteOfAPolicyOfNoneCase130) {
  policies.publish("example.org", "none", "other.test");
  EXPECT_EQ(terms("mx/example.org"), "opportunistic nothing");
}

TEST_F(WaysTlsTest, FollowsTlsaRecordsThatDnssecSecuresCase129) {
  policies.publish("signed.test", "enforce", "other.test");
  zone.add("_25._tcp.mx.signed.test", net::kTypeTlsa, {tlsa_rdata(3)});
  EXPECT_EQ(terms("mx/signed.test"), "required dane by dane") << "before MTA-STS";
  const auto target = resolve_first("mx/signed.test").value();
  EXPECT_EQ(target.demand.server_name, "mx.signed.test");
  EXPECT_EQ(target.demand.tlsa.size(), 1U);
  EXPECT_EQ(policies.asked(), 0);
}

TEST_F(WaysTlsTest, EncryptsWhereNoTlsaRecordIsUsableCase129) {
  zone.add("_25._tcp.mx.signed.test", net::kTypeTlsa, {tlsa_rdata(1)});
  EXPECT_EQ(terms("mx/signed.test"), "encrypted nothing by dane");
}

TEST_F(WaysTlsTest, EncryptsWhereNoTlsaRecordCanBeReadCase129) {
  zone.add("_25._tcp.mx.signed.test", net::kTypeTlsa, {"\3\1"});
  EXPECT_EQ(terms("mx/signed.test"), "encrypted nothing by dane");
}

TEST_F(WaysTlsTest, WaitsForTlsaRecordsThatAreNotToBeHadCase129) {
  server.fail("_25._tcp.mx.signed.test", kServfail);
  EXPECT_EQ(terms("mx/signed.test"), "waits") << "a lookup that fails lowers nothing";
}

TEST_F(WaysTlsTest, WaitsWhereTheAbsenceOfTlsaRecordsIsNotProvenCase129) {
  EXPECT_EQ(terms("mx/signed.test"), "waits") << "a forged NXDOMAIN would switch DANE off";
}

TEST_F(WaysTlsTest, TakesNoNoteOfTlsaRecordsThatNothingSecuresCase129) {
  server.add("_25._tcp.mx.example.org", net::kTypeTlsa, tlsa_rdata(3));
  EXPECT_EQ(terms("mx/example.org"), "opportunistic nothing");
}

TEST_F(WaysTlsTest, TakesNoNoteOfTlsaRecordsBehindMxThatNothingSecuresCase129) {
  zone.add("_25._tcp.mx.signed.test", net::kTypeTlsa, {tlsa_rdata(3)});
  server.add("plain.test", net::kTypeMx, test::mx_rdata(10, "mx.signed.test"));
  EXPECT_EQ(terms("mx/plain.test"), "opportunistic nothing")
    << "whoever forges the MX names a host of his own";
}

TEST_F(WaysTlsTest, FollowsTheTlsaRecordsOfTheNameThatAnAliasLeadsToCase129) {
  zone.add("alias.signed.test", net::kTypeMx, {test::mx_rdata(10, "mail.signed.test")});
  zone.add("mail.signed.test", net::kTypeCname, {test::wire_name("mx.signed.test")});
  zone.add("mx.signed.test", net::kTypeAaaa, {std::string(16, '\x20')});
  zone.add("_25._tcp.mx.signed.test", net::kTypeTlsa, {tlsa_rdata(3)});
  const auto target = resolve_first("mx/alias.signed.test");
  ASSERT_TRUE(target) << target.error().error.message();
  EXPECT_EQ(target->tls_policy, "dane");
  EXPECT_EQ(target->demand.server_name, "mx.signed.test") << "RFC 7672 section 2.2.2";
  EXPECT_EQ(
    target->demand.names,
    (std::vector<std::string>{"mx.signed.test", "mail.signed.test", "alias.signed.test"})
  );
}

TEST_F(WaysTlsTest, TellsTheObserverOfMailServersAlone) {
  const auto route = find("mx/example.org").value();
  const auto target = resolve(route).value();
  made().tls_tried(*route, 0, target, std::nullopt);
  made().tls_tried(*route, 0, target, net::TlsFault{net::TlsFailure::certificate_expired, "", "", ""});
  auto smarthost = *route;
  smarthost.hosts[0].is_mx = false;
  made().tls_tried(smarthost, 0, target, std::nullopt);
  EXPECT_EQ(
    tried.lines(), (std::vector<std::string>{
                     "example.org mx.example.org  good", "example.org mx.example.org  certificate-expired"
                   })
  );
}

}  // namespace
}  // namespace relay::outbound
