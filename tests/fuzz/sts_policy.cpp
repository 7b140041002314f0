/// sts/policy, sts/record and tlsrpt/record. Input: a line with a host, then a policy file; its lines are read as TXT
/// records too.

#include <string>
#include <vector>

#include "relay/base/network.hpp"
#include "relay/sts/policy.hpp"
#include "relay/sts/record.hpp"
#include "relay/tlsrpt/record.hpp"
#include "tests/fuzz/input.hpp"

namespace relay {
namespace {

using fuzz::require;

void check(const sts::Policy& policy, std::string_view host) {
  require(policy.max_age.count() >= 0 && policy.max_age <= sts::kMaxAge, "a policy lives for a year at most");
  require(policy.mx.size() <= sts::kMaxPatterns, "a policy has 100 patterns at most");
  require(!policy.mx.empty() || policy.mode == sts::Mode::none, "a policy that is in force names hosts");
  for (const auto& pattern : policy.mx) {
    const auto name = std::string_view(pattern).substr(pattern.starts_with("*.") ? 2 : 0);
    require(is_host_name(name) && lower(name) == name, "a pattern is a name in lower case");
    require(
      sts::matches(policy, pattern.starts_with("*.") ? "label." + std::string(name) : pattern),
      "a pattern fits"
    );
  }
  require(sts::parse_policy(sts::to_text(policy)) == policy, "a policy is read as it is written");
  for (const auto& line : sts::to_lines(policy))
    require(fuzz::is_all_printable(line), "a report can quote a policy");
  const bool fits = sts::matches(policy, host);
  require(sts::matches(policy, upper(host)) == fits, "the case of a host changes nothing");
  if (!host.ends_with('.'))
    require(sts::matches(policy, std::string(host) + ".") == fits, "a host's last dot changes nothing");
}

void check_error(const Error& error) {
  require(
    error.code == Errc::protocol_error || error.code == Errc::too_large,
    "a policy that is none is a fault of its"
  );
  require(
    error.fate == Fate::permanent && fuzz::is_all_printable(error.context), "an error says what is wrong"
  );
  require(error.context.size() < 80, "an error does not quote the policy");
}

std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    lines.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

void check_records(const std::vector<std::string>& records) {
  if (const auto id = sts::policy_id(records)) {
    require(!id->empty() && id->size() <= 32, "an id has 1 to 32 characters");
    require(std::all_of(id->begin(), id->end(), is_alnum), "an id is letters and digits");
    auto twice = records;
    twice.insert(twice.end(), records.begin(), records.end());
    require(!sts::policy_id(twice), "of several records none counts");
  }
  const auto targets = tlsrpt::parse_tlsrpt_record(records);
  require(targets.size() <= tlsrpt::kMaxDestinations, "reports go to ten destinations at most");
  for (const auto& target : targets) {
    const auto text = tlsrpt::to_text(target);
    require(
      fuzz::is_all_printable(text) && text.find(' ') == text.npos, "a destination is one printable word"
    );
  }
}

}  // namespace
}  // namespace relay

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace relay;
  fuzz::InputView input(data, size);
  const auto host = input.line();
  const auto policy = sts::parse_policy(input.rest());
  if (policy) check(*policy, host);
  else check_error(policy.error());
  check_records(lines_of(input.rest()));
  return 0;
}
