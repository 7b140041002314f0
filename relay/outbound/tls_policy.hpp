#pragma once
/// What TLS with one mail server of a domain must prove. Pure: facts in, demand out.

#include <optional>

#include "relay/net/dns_answer.hpp"
#include "relay/outbound/plan.hpp"
#include "relay/sts/policy.hpp"

namespace relay::outbound {

/// What was found out about one host of a domain.
struct HostFacts {
  std::string domain;
  std::string host;
  MxTls tls = MxTls::policy;
  /// TLSA records behind a chain of secure answers (MX, host, TLSA); nothing: DANE is not for this host. Empty: there
  /// are some, and none can be read.
  std::optional<std::vector<net::TlsaRecord>> tlsa;
  std::string tlsa_base;              ///< the name that they stand under, without `_25._tcp.`
  std::optional<sts::Policy> policy;  ///< MTA-STS
};

struct TlsTerms {
  smtp::TlsMode mode = smtp::TlsMode::opportunistic;
  net::TlsDemand demand;
  std::string policy;  ///< `dane`, `sts`, or empty
};

/// DANE counts before MTA-STS (RFC 8461 section 2), and both before the setting's own demand. TLSA records of
/// which none is usable demand encryption, and nothing of the certificate (RFC 7672 section 2.2) unless the setting
/// does. What a policy that is being tested would demand is tried for reports, and keeps no mail.
/// Errors: not_permitted, transient: MTA-STS is enforced and does not name this host (RFC 8461 section 5).
[[nodiscard]] Result<TlsTerms> tls_terms(const HostFacts& facts);

}  // namespace relay::outbound
