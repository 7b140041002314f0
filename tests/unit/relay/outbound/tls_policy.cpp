#include "relay/outbound/tls_policy.hpp"

#include <gtest/gtest.h>

namespace relay::outbound {
namespace {

using smtp::TlsMode;

const net::TlsaRecord kUsable{3, 1, 1, std::string(32, 'x')};
const net::TlsaRecord kPkix{1, 1, 1, std::string(32, 'x')};  // RFC 7672 section 3.1.3: not for SMTP

HostFacts facts(MxTls tls = MxTls::policy) {
  HostFacts facts;
  facts.domain = "example.org";
  facts.host = "mx.example.org";
  facts.tls = tls;
  return facts;
}
HostFacts with_tlsa(std::vector<net::TlsaRecord> records, MxTls tls = MxTls::policy) {
  auto made = facts(tls);
  made.tlsa = std::move(records);
  made.tlsa_base = "mx.provider.test";
  return made;
}
HostFacts with_policy(sts::Mode mode, const std::string& mx, MxTls tls = MxTls::policy) {
  auto made = facts(tls);
  made.policy = sts::Policy{mode, std::chrono::hours{24}, {mx}};
  return made;
}
void expect_by_certificate(const Result<TlsTerms>& terms) {
  ASSERT_TRUE(terms);
  EXPECT_EQ(terms->mode, TlsMode::required);
  EXPECT_EQ(terms->demand.verify, net::Verify::certificate);
  EXPECT_EQ(terms->demand.server_name, "mx.example.org");
  EXPECT_TRUE(terms->demand.names.empty());
  EXPECT_TRUE(terms->demand.ignores_common_name);
  EXPECT_FALSE(terms->demand.is_tested);
}
void expect_opportunistic(const Result<TlsTerms>& terms, const char* policy = "") {
  ASSERT_TRUE(terms);
  EXPECT_EQ(terms->mode, TlsMode::opportunistic);
  EXPECT_EQ(terms->demand.verify, net::Verify::none);
  EXPECT_EQ(terms->demand.server_name, "mx.example.org") << "SNI all the same";
  EXPECT_EQ(terms->policy, policy);
}

TEST(TlsTerms, AreOpportunisticWhereADomainAsksForNothing) {
  expect_opportunistic(tls_terms(facts()));
  expect_opportunistic(tls_terms(facts(MxTls::opportunistic)));
}

TEST(TlsTerms, AreNoneWhereTheSettingsSaySo) {
  auto all = with_tlsa({kUsable}, MxTls::none);
  all.policy = sts::Policy{sts::Mode::enforce, {}, {"other.test"}};
  const auto terms = tls_terms(all);
  ASSERT_TRUE(terms);
  EXPECT_EQ(terms->mode, TlsMode::none);
  EXPECT_EQ(terms->policy, "");
}

TEST(TlsTerms, AreByCertificateWhereTheSettingsDemandIt) {
  const auto terms = tls_terms(facts(MxTls::required));
  expect_by_certificate(terms);
  EXPECT_EQ(terms->policy, "");
}

TEST(TlsTerms, AreByTlsaRecordsWhereThereAreSomeCase129) {
  const auto terms = tls_terms(with_tlsa({kPkix, kUsable}));
  ASSERT_TRUE(terms);
  EXPECT_EQ(terms->policy, "dane");
  EXPECT_EQ(terms->mode, TlsMode::required);
  EXPECT_EQ(terms->demand.verify, net::Verify::dane);
  EXPECT_EQ(terms->demand.server_name, "mx.provider.test") << "RFC 7672 section 3.2.2";
  EXPECT_EQ(
    terms->demand.names, (std::vector<std::string>{"mx.provider.test", "mx.example.org", "example.org"})
  );
  EXPECT_EQ(terms->demand.tlsa.size(), 2U);
}

TEST(TlsTerms, OfUnusableTlsaRecordsAreEncryptionCase129) {
  for (const auto& records : {std::vector{kPkix}, std::vector<net::TlsaRecord>{}}) {
    const auto terms = tls_terms(with_tlsa(records));
    ASSERT_TRUE(terms);
    EXPECT_EQ(terms->policy, "dane");
    EXPECT_EQ(terms->mode, TlsMode::encrypted) << "RFC 7672 section 2.2: no way back to plain text";
    EXPECT_EQ(terms->demand.verify, net::Verify::none);
  }
}

TEST(TlsTerms, OfUnusableTlsaRecordsAreNoLessThanTheSettingsDemandCase129) {
  expect_by_certificate(tls_terms(with_tlsa({kPkix}, MxTls::required)));
}

TEST(TlsTerms, OfDaneComeBeforeThoseOfMtaStsCase129) {
  auto both = with_tlsa({kUsable});
  both.policy = sts::Policy{sts::Mode::enforce, {}, {"other.test"}};
  const auto terms = tls_terms(both);
  ASSERT_TRUE(terms) << "RFC 8461 section 2";
  EXPECT_EQ(terms->policy, "dane");
}

TEST(TlsTerms, OfAnEnforcedPolicyAreByCertificateCase130) {
  const auto terms = tls_terms(with_policy(sts::Mode::enforce, "*.example.org"));
  expect_by_certificate(terms);
  EXPECT_EQ(terms->policy, "sts");
}

TEST(TlsTerms, OfAnEnforcedPolicyThatDoesNotNameTheHostAreNoneCase130) {
  const auto terms = tls_terms(with_policy(sts::Mode::enforce, "*.other.test"));
  ASSERT_FALSE(terms);
  EXPECT_EQ(terms.error().code, Errc::not_permitted);
  EXPECT_EQ(terms.error().fate, Fate::transient) << "policies change: the mail waits";
  EXPECT_NE(terms.error().context.find("mx.example.org"), std::string::npos);
}

TEST(TlsTerms, OfAPolicyThatIsTestedDeliverAnywayCase130) {
  for (const auto* mx : {"*.example.org", "*.other.test"}) {
    const auto terms = tls_terms(with_policy(sts::Mode::testing, mx));
    ASSERT_TRUE(terms);
    EXPECT_EQ(terms->mode, TlsMode::opportunistic);
    EXPECT_EQ(terms->policy, "sts");
    EXPECT_EQ(terms->demand.verify, net::Verify::certificate) << "for reports: RFC 8461 section 5";
    EXPECT_TRUE(terms->demand.is_tested);
    EXPECT_TRUE(terms->demand.ignores_common_name);
  }
  auto with_records = with_policy(sts::Mode::testing, "*.example.org");
  with_records.tlsa = {kPkix};
  const auto encrypted = tls_terms(with_records);
  ASSERT_TRUE(encrypted);
  EXPECT_EQ(encrypted->mode, TlsMode::encrypted);
  EXPECT_EQ(encrypted->demand.verify, net::Verify::none);
  EXPECT_FALSE(encrypted->demand.is_tested);
  expect_by_certificate(tls_terms(with_policy(sts::Mode::testing, "*.other.test", MxTls::required)));
}

TEST(TlsTerms, OfAPolicyOfNoneAreAsWithoutCase130) {
  expect_opportunistic(tls_terms(with_policy(sts::Mode::none, "*.other.test")));
  expect_by_certificate(tls_terms(with_policy(sts::Mode::none, "*.other.test", MxTls::required)));
}

TEST(TlsTerms, AreOpportunisticWhateverTheDomainSaysWhereTheSettingsSaySo) {
  expect_opportunistic(tls_terms(with_tlsa({kUsable}, MxTls::opportunistic)));
  expect_opportunistic(tls_terms(with_policy(sts::Mode::enforce, "*.other.test", MxTls::opportunistic)));
}

}  // namespace
}  // namespace relay::outbound
