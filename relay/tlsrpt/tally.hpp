#pragma once
/// NAME      tlsrpt -- reports of TLS failures to the domains that ask for them, the sender's side (RFC 8460)
/// USES      mail, base
///
/// INVARIANT pure; what peers and DNS wrote reaches a report as printable ASCII only
/// FAILURES  corrupt (permanent): a kept tally that cannot be read; its counts are lost, mail never is
/// LIMITS    10,000 domains, 10 policies a domain, 100 details a policy, 32 MiB of text a day. What is beyond
///           them is counted without its details, or as uncounted()

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "relay/base/result.hpp"

namespace relay::tlsrpt {

/// A day of UTC: reports cover one (section 4.1).
using Day = std::chrono::sys_days;

/// Section 4.4, `policy-type`.
enum class PolicyType : std::uint8_t { sts, tlsa, no_policy_found };
/// Section 4.3: what went wrong between us and a host.
enum class ResultType : std::uint8_t {
  starttls_not_supported,
  certificate_host_mismatch,
  certificate_expired,
  certificate_not_trusted,
  validation_failure,
  tlsa_invalid,
  dnssec_invalid,
  dane_required,
  sts_policy_fetch_error,
  sts_policy_invalid,
  sts_webpki_invalid,
};
/// As reports write them: `no-policy-found`, `certificate-host-mismatch`.
[[nodiscard]] std::string_view name(PolicyType type);
[[nodiscard]] std::string_view name(ResultType type);

/// What a session was held to.
struct AppliedPolicy {
  std::string domain;  ///< of the recipients; with tlsa, of the TLSA records' base
  PolicyType type = PolicyType::no_policy_found;
  std::vector<std::string> strings;      ///< its lines, or the TLSA records; none with no_policy_found
  std::vector<std::string> mx_patterns;  ///< of sts

  friend bool operator==(const AppliedPolicy&, const AppliedPolicy&) = default;
};

/// Why a session failed, as far as it is known: what is empty is left out of the report.
struct Failure {
  ResultType result = ResultType::validation_failure;
  std::string sending_ip;
  std::string mx_host;
  std::string mx_helo;  ///< the name of the host's own greeting
  std::string receiving_ip;
  std::string reason;  ///< free text, `failure-reason-code`

  friend bool operator==(const Failure&, const Failure&) = default;
};

struct Detail {
  Failure failure;
  std::uint64_t sessions = 0;
};

struct PolicyTally {
  AppliedPolicy policy;
  std::uint64_t successes = 0;
  std::uint64_t failures = 0;
  std::vector<Detail> details;  ///< their sum is `failures`
};

struct TallyLimits {
  std::size_t domains = 10'000;
  std::size_t policies = 10;  ///< a domain
  std::size_t details = 100;  ///< a policy; behind them follows one more a result type, for all others
  std::size_t octets = 32UL * 1024 * 1024;
};

/// The sessions of one day, by the domain that hears of them.
///
/// A session that was held to two policies (TLSA records and MTA-STS) is counted under both.
/// Thread: one at a time; threads may have one each, put together by add().
class Tally {
 public:
  using Domains = std::map<std::string, std::vector<PolicyTally>, std::less<>>;

  explicit Tally(Day day, TallyLimits limits = {}) : day_(day), limits_(limits) {}

  void count_success(const AppliedPolicy& policy);
  void count_failure(const AppliedPolicy& policy, const Failure& failure);
  /// What another counted on the same day.
  void add(const Tally& other);
  /// Its report is sent, or nobody wants one.
  void forget(std::string_view domain);

  [[nodiscard]] Day day() const { return day_; }
  [[nodiscard]] const Domains& domains() const { return domains_; }
  /// Sessions that had no place within the limits.
  [[nodiscard]] std::uint64_t uncounted() const { return uncounted_; }

  /// For keeping it across a restart.
  [[nodiscard]] std::string to_json() const;
  /// Within `limits`, like sessions that are counted. Errors: corrupt.
  [[nodiscard]] static Result<Tally> from_json(std::string_view text, TallyLimits limits = {});

 private:
  PolicyTally* find_or_add(const AppliedPolicy& policy);
  void add_failures(PolicyTally& tally, const Failure& failure, std::uint64_t sessions);
  void add_policy(const PolicyTally& counted);

  Day day_;
  TallyLimits limits_;
  Domains domains_;
  std::size_t octets_ = 0;  // of the text that domains_ holds
  std::uint64_t uncounted_ = 0;
};

}  // namespace relay::tlsrpt
