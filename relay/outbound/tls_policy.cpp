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
  terms.demand.server_name = facts.tlsa_base;
  if (net::count_usable(*facts.tlsa) == 0) {
    terms.mode = smtp::TlsMode::encrypted;
    return terms;
  }
  terms.mode = smtp::TlsMode::required;
  terms.demand.verify = net::Verify::dane;
  terms.demand.names = {facts.tlsa_base, facts.host, facts.domain};  // RFC 7672 section 3.2.2
  terms.demand.tlsa = *facts.tlsa;
  return terms;
}

}  // namespace

Result<TlsTerms> tls_terms(const HostFacts& facts) {
  TlsTerms terms;
  terms.demand.server_name = facts.host;
  if (facts.tls == MxTls::none) {
    terms.mode = smtp::TlsMode::none;
    return terms;
  }
  if (facts.tls != MxTls::opportunistic && facts.tlsa && !facts.tlsa->empty()) return dane_terms(facts);
  const bool has_policy = facts.policy && facts.policy->mode != sts::Mode::none;
  if (facts.tls != MxTls::opportunistic && has_policy) {
    terms.policy = "sts";
    const bool is_enforced = facts.policy->mode == sts::Mode::enforce;
    if (is_enforced && !sts::matches(*facts.policy, facts.host)) {
      return transient(
        Errc::not_permitted, "the MTA-STS policy of " + facts.domain + " does not name the host " + facts.host
      );
    }
    if (is_enforced) {
      terms.mode = smtp::TlsMode::required;
      terms.demand = by_certificate(facts);
      return terms;
    }
  }
  if (facts.tls == MxTls::required) {
    terms.mode = smtp::TlsMode::required;
    terms.demand = by_certificate(facts);
  }
  return terms;
}

}  // namespace relay::outbound
