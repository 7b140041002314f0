#pragma once
/// NAME      sts -- MTA Strict Transport Security, the sender's side (RFC 8461), without its waiting
/// USES      base
///
/// INVARIANT pure; a Policy that exists is valid: its patterns are lower-case names, and there is at least one
///           unless its mode is none
/// FAILURES  protocol_error, too_large (permanent): such a policy counts as not fetched. A host that a policy
///           does not name is no failure of this module; its fate is transient wherever it is judged: policies
///           change
/// LIMITS    RFC 8461 section 3.2 and 3.3: 64 KiB a file, 31,557,600 s; of our own: 100 patterns

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "relay/base/result.hpp"

namespace relay::sts {

inline constexpr std::size_t kMaxPolicyOctets = 64UL * 1024;
inline constexpr std::size_t kMaxPatterns = 100;
inline constexpr std::chrono::seconds kMaxAge{31'557'600};  // a year

/// What becomes of a host that does not meet the policy (section 5).
enum class Mode : std::uint8_t {
  enforce,  ///< no mail goes there
  testing,  ///< mail goes there, and it is reported (RFC 8460)
  none,     ///< as if there were no policy
};
[[nodiscard]] std::string_view name(Mode mode);

struct Policy {
  Mode mode = Mode::none;
  std::chrono::seconds max_age{};  ///< 0 to kMaxAge, from when it was fetched
  std::vector<std::string> mx;     ///< lower-case: `mail.example.com` or `*.example.com`

  friend bool operator==(const Policy&, const Policy&) = default;
};

/// Reads a policy file: `key: value` lines that end with LF or CRLF, blank ones skipped. Keys that are not
/// known are ignored; of those that are, the first counts, except that every `mx` does.
/// Errors: too_large; protocol_error with what is wrong, never with what the file says.
[[nodiscard]] Result<Policy> parse_policy(std::string_view text);

/// The policy's own lines, without line ends, as reports of TLS failures quote them (RFC 8460 section 4.4).
[[nodiscard]] std::vector<std::string> to_lines(const Policy& policy);
/// What parse_policy() reads back to the same value.
[[nodiscard]] std::string to_text(const Policy& policy);

/// Whether a policy names this host (section 4.1): a wildcard stands for exactly one label, the left-most.
/// Ignores case and a dot at the host's end.
[[nodiscard]] bool matches(const Policy& policy, std::string_view mx_host);

}  // namespace relay::sts
