#include "relay/outbound/tls_policy.hpp"

namespace relay::outbound {
namespace {

net::TlsDemand by_certificate(const HostFacts& facts) {
  net::TlsDemand demand;
  demand.server_name = facts.host;
  demand.verify = net::Verify::certificate;
  demand.ignores_common_name = true;
  return demand;
}

TlsTerms dane_terms(const HostFacts& facts) {
  TlsTerms terms;
  terms.policy = "dane";
  terms.mode = smtp::TlsMode::required;
  terms.demand.server_name = facts.tlsa_base;
  terms.demand.verify = net::Verify::dane;
  terms.demand.names = {facts.tlsa_base, facts.host, facts.domain};  // RFC 7672 section 3.2.2
  terms.demand.tlsa = *facts.tlsa;
  return terms;
}

/// What MTA-STS and the setting demand.
Result<TlsTerms> other_terms(const HostFacts& facts, bool asks_domain) {
  TlsTerms terms;
  terms.demand.server_name = facts.host;
  const bool has_policy = facts.policy && facts.policy->mode != sts::Mode::none;
  const bool is_enforced = asks_domain && has_policy && facts.policy->mode == sts::Mode::enforce;
  if (asks_domain && has_policy) terms.policy = "sts";
  if (is_enforced && !sts::matches(*facts.policy, facts.host)) {
    return transient(
      Errc::not_permitted, "the MTA-STS policy of " + facts.domain + " does not name the host " + facts.host
    );
  }
  if (is_enforced || facts.tls == MxTls::required) {
    terms.mode = smtp::TlsMode::required;
    terms.demand = by_certificate(facts);
  } else if (asks_domain && has_policy) {
    terms.demand = by_certificate(facts);
    terms.demand.is_tested = true;
  }
  return terms;
}

}  // namespace

Result<TlsTerms> tls_terms(const HostFacts& facts) {
  if (facts.tls == MxTls::none) {
    TlsTerms terms;
    terms.mode = smtp::TlsMode::none;
    terms.demand.server_name = facts.host;
    return terms;
  }
  const bool asks_domain = facts.tls != MxTls::opportunistic;
  const bool has_tlsa = asks_domain && facts.tlsa;
  if (has_tlsa && net::count_usable(*facts.tlsa) > 0) return dane_terms(facts);
  auto terms = other_terms(facts, asks_domain);
  // Records that prove nothing still say that there is TLS.
  if (terms && has_tlsa && terms->mode == smtp::TlsMode::opportunistic) {
    terms->mode = smtp::TlsMode::encrypted;
    terms->policy = "dane";
    terms->demand.verify = net::Verify::none;
    terms->demand.is_tested = false;
  }
  return terms;
}

}  // namespace relay::outbound
