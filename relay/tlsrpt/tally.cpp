#include "relay/tlsrpt/tally.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <numeric>
#include <optional>

#include "relay/base/text.hpp"

namespace relay::tlsrpt {
namespace {

using nlohmann::json;

constexpr std::array<std::string_view, 3> kPolicyTypes{"sts", "tlsa", "no-policy-found"};
constexpr std::array<std::string_view, 11> kResultTypes{
  "starttls-not-supported", "certificate-host-mismatch",
  "certificate-expired",    "certificate-not-trusted",
  "validation-failure",     "tlsa-invalid",
  "dnssec-invalid",         "dane-required",
  "sts-policy-fetch-error", "sts-policy-invalid",
  "sts-webpki-invalid",
};

constexpr std::size_t kMaxText = 255;         // of one fact about a failure: names have no more
constexpr std::size_t kMaxPolicyText = 1024;  // of one line: a TLSA record with a whole key has about that
constexpr std::size_t kEntryOctets = 256;     // of an entry beside its text, about
constexpr std::string_view kOthers = "details of more failures were not kept";

Failure printable_copy(const Failure& failure) {
  const auto text = [](const std::string& field) { return printable(field, kMaxText); };
  return {failure.result,        text(failure.sending_ip),   text(failure.mx_host),
          text(failure.mx_helo), text(failure.receiving_ip), text(failure.reason)};
}

AppliedPolicy printable_copy(const AppliedPolicy& policy) {
  AppliedPolicy copy{
    lower(printable(policy.domain, kMaxText)), policy.type, policy.strings, policy.mx_patterns
  };
  for (auto* list : {&copy.strings, &copy.mx_patterns}) {
    for (auto& text : *list) text = printable(text, kMaxPolicyText);
  }
  for (auto& pattern : copy.mx_patterns) pattern = lower(pattern);
  return copy;
}

std::size_t octets_of(const AppliedPolicy& policy) {
  std::size_t octets = kEntryOctets + policy.domain.size();
  for (const auto* list : {&policy.strings, &policy.mx_patterns}) {
    for (const auto& text : *list) octets += sizeof(text) + text.size();
  }
  return octets;
}

std::size_t octets_of(const Failure& failure) {
  return kEntryOctets + failure.sending_ip.size() + failure.mx_host.size() + failure.mx_helo.size() +
         failure.receiving_ip.size() + failure.reason.size();
}

std::size_t octets_of(const std::vector<PolicyTally>& tallies) {
  std::size_t octets = 0;
  for (const auto& tally : tallies) {
    octets += octets_of(tally.policy);
    for (const auto& detail : tally.details) octets += octets_of(detail.failure);
  }
  return octets;
}

json to_fields(const PolicyTally& tally) {
  auto details = json::array();
  for (const auto& [failure, sessions] : tally.details) {
    details.push_back(
      {{"result", name(failure.result)},
       {"sending_ip", failure.sending_ip},
       {"mx_host", failure.mx_host},
       {"mx_helo", failure.mx_helo},
       {"receiving_ip", failure.receiving_ip},
       {"reason", failure.reason},
       {"sessions", sessions}}
    );
  }
  return {
    {"domain", tally.policy.domain},  {"type", name(tally.policy.type)}, {"strings", tally.policy.strings},
    {"mx", tally.policy.mx_patterns}, {"successes", tally.successes},    {"details", std::move(details)},
  };
}

/// The value that a table writes like this; a text that is not in it is like a field of the wrong type.
template <class Enum, std::size_t Size>
Enum parse_name(const std::array<std::string_view, Size>& names, const json& value) {
  const auto text = value.get<std::string>();
  const auto at = std::find(names.begin(), names.end(), text);
  if (at == names.end()) throw json::other_error::create(599, "name", nullptr);
  return static_cast<Enum>(at - names.begin());
}

PolicyTally parse_policy_tally(const json& fields) {
  PolicyTally tally;
  tally.policy = {
    fields.at("domain").get<std::string>(), parse_name<PolicyType>(kPolicyTypes, fields.at("type")),
    fields.at("strings").get<std::vector<std::string>>(), fields.at("mx").get<std::vector<std::string>>()
  };
  tally.successes = fields.at("successes").get<std::uint64_t>();
  for (const auto& detail : fields.at("details")) {
    const Failure failure{
      parse_name<ResultType>(kResultTypes, detail.at("result")),
      detail.at("sending_ip").get<std::string>(),
      detail.at("mx_host").get<std::string>(),
      detail.at("mx_helo").get<std::string>(),
      detail.at("receiving_ip").get<std::string>(),
      detail.at("reason").get<std::string>()
    };
    tally.details.push_back({failure, detail.at("sessions").get<std::uint64_t>()});
  }
  return tally;
}

tl::unexpected<Error> corrupt(std::string what) { return permanent(Errc::corrupt, std::move(what)); }

}  // namespace

std::string_view name(PolicyType type) { return kPolicyTypes[static_cast<std::size_t>(type)]; }
std::string_view name(ResultType type) { return kResultTypes[static_cast<std::size_t>(type)]; }

void Tally::count_success(const AppliedPolicy& policy) {
  if (auto* tally = find_or_add(printable_copy(policy))) ++tally->successes;
  else ++uncounted_;
}

void Tally::count_failure(const AppliedPolicy& policy, const Failure& failure) {
  if (auto* tally = find_or_add(printable_copy(policy))) add_failures(*tally, printable_copy(failure), 1);
  else ++uncounted_;
}

PolicyTally* Tally::find_or_add(const AppliedPolicy& policy) {
  const auto domain = domains_.find(policy.domain);
  if (domain != domains_.end()) {
    auto& tallies = domain->second;
    const auto known = std::find_if(tallies.begin(), tallies.end(), [&](const PolicyTally& tally) {
      return tally.policy == policy;
    });
    if (known != tallies.end()) return &*known;
    if (tallies.size() >= limits_.policies) return nullptr;
  } else if (domains_.size() >= limits_.domains) {
    return nullptr;
  }
  const auto octets = octets_of(policy);
  if (octets_ + octets > limits_.octets) return nullptr;
  octets_ += octets;
  return &domains_[policy.domain].emplace_back(PolicyTally{policy, 0, 0, {}});
}

void Tally::add_failures(PolicyTally& tally, const Failure& failure, std::uint64_t sessions) {
  tally.failures += sessions;
  const auto find = [&](const Failure& wanted) {
    return std::find_if(tally.details.begin(), tally.details.end(), [&](const Detail& detail) {
      return detail.failure == wanted;
    });
  };
  auto detail = find(failure);
  if (detail == tally.details.end()) {
    const auto octets = octets_of(failure);
    const bool has_place = tally.details.size() < limits_.details && octets_ + octets <= limits_.octets;
    const Failure others{failure.result, {}, {}, {}, {}, std::string(kOthers)};
    if (!has_place) detail = find(others);
    if (detail == tally.details.end()) {
      octets_ += has_place ? octets : octets_of(others);
      detail = tally.details.insert(detail, Detail{has_place ? failure : others, 0});
    }
  }
  detail->sessions += sessions;
}

void Tally::add_policy(const PolicyTally& counted) {
  auto* tally = find_or_add(printable_copy(counted.policy));
  if (tally == nullptr) {
    uncounted_ += counted.successes + counted.failures;
    return;
  }
  tally->successes += counted.successes;
  for (const auto& detail : counted.details)
    add_failures(*tally, printable_copy(detail.failure), detail.sessions);
}

void Tally::add(const Tally& other) {
  uncounted_ += other.uncounted_;
  for (const auto& [domain, tallies] : other.domains_) {
    for (const auto& tally : tallies) add_policy(tally);
  }
}

void Tally::forget(std::string_view domain) {
  const auto known = domains_.find(domain);
  if (known == domains_.end()) return;
  octets_ -= std::min(octets_, octets_of(known->second));
  domains_.erase(known);
}

std::string Tally::to_json() const {
  auto policies = json::array();
  for (const auto& [domain, tallies] : domains_) {
    for (const auto& tally : tallies) policies.push_back(to_fields(tally));
  }
  return json{
    {"day", day_.time_since_epoch().count()}, {"uncounted", uncounted_}, {"policies", std::move(policies)}
  }.dump();
}

Result<Tally> Tally::from_json(std::string_view text, TallyLimits limits) {
  const auto fields = json::parse(text, nullptr, false);
  if (!fields.is_object()) return corrupt("a kept tally is no JSON object");
  try {
    Tally tally(Day{std::chrono::days{fields.at("day").get<std::int32_t>()}}, limits);
    tally.uncounted_ = fields.at("uncounted").get<std::uint64_t>();
    for (const auto& policy : fields.at("policies")) {
      auto counted = parse_policy_tally(policy);
      for (const auto& detail : counted.details) counted.failures += detail.sessions;
      tally.add_policy(counted);
    }
    return tally;
  } catch (const json::exception&) {
    return corrupt("a kept tally lacks a field");
  }
}

}  // namespace relay::tlsrpt
