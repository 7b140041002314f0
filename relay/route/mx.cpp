#include "relay/route/mx.hpp"

#include <algorithm>
#include <array>
#include <optional>

#include "relay/base/network.hpp"
#include "relay/base/text.hpp"

namespace relay::route {
namespace {

struct Refusal {
  MxRefusal refusal;
  std::uint16_t code;
  mail::EnhancedStatus status;
  std::string_view text;
};
constexpr std::array kRefusals{
  Refusal{MxRefusal::no_such_domain, 550, {5, 1, 2}, "the domain does not exist"},
  Refusal{MxRefusal::null_mx, 556, {5, 1, 10}, "the domain accepts no mail (null MX)"},
  Refusal{MxRefusal::loop, 550, {5, 4, 6}, "mail for the domain loops back to this host"},
  Refusal{MxRefusal::no_usable_host, 550, {5, 4, 4}, "no MX of the domain is a valid host name"},
  Refusal{MxRefusal::no_address, 550, {5, 4, 4}, "no mail host of the domain has an address"},
  Refusal{MxRefusal::forbidden_target, 550, {5, 4, 4}, "the domain's mail hosts have no public address"},
};
constexpr std::size_t kMaxDomainText = 255;

std::string normal(std::string_view name) {
  if (name.size() > 1 && name.ends_with('.')) name.remove_suffix(1);
  return lower(name);
}

bool is_usable(const std::string& name) { return is_host_name(name) && !IpAddress::parse(name); }

bool is_among(const std::vector<std::string>& own_names, const std::string& name) {
  return std::any_of(own_names.begin(), own_names.end(), [&](const auto& own) {
    return normal(own) == name;
  });
}

std::vector<MxHost> usable_hosts(const std::vector<MxSet::Record>& records) {
  std::vector<MxHost> hosts;
  for (const auto& record : records) {
    auto name = normal(record.host);
    if (is_usable(name)) hosts.push_back({std::move(name), record.preference});
  }
  return hosts;
}

void shuffle(std::vector<MxHost>& hosts, Jitter& jitter) {
  for (std::size_t left = hosts.size(); left > 1; --left) {
    const auto chosen = static_cast<std::size_t>(jitter.fraction() * static_cast<double>(left));
    std::swap(hosts[std::min(chosen, left - 1)], hosts[left - 1]);
  }
}

/// Best first; of a host that is named twice the better one.
void sort(std::vector<MxHost>& hosts) {
  std::stable_sort(hosts.begin(), hosts.end(), [](const auto& a, const auto& b) {
    return a.preference < b.preference;
  });
  std::vector<MxHost> once;
  for (auto& host : hosts) {
    const auto is_same = [&](const auto& other) { return other.name == host.name; };
    if (std::none_of(once.begin(), once.end(), is_same)) once.push_back(std::move(host));
  }
  hosts = std::move(once);
}

/// Leaves those that are preferred to ourselves.
void cut_at_ourselves(std::vector<MxHost>& hosts, const std::vector<std::string>& own_names) {
  std::optional<std::uint16_t> ours;
  for (const auto& host : hosts) {
    if (is_among(own_names, host.name)) ours = std::min(ours.value_or(host.preference), host.preference);
  }
  if (ours) std::erase_if(hosts, [&](const auto& host) { return host.preference >= *ours; });
}

}  // namespace

mail::Reply refusal_reply(MxRefusal refusal, std::string_view domain) {
  const auto* found = std::find_if(kRefusals.begin(), kRefusals.end(), [&](const auto& entry) {
    return entry.refusal == refusal;
  });
  return {found->code, found->status, printable(domain, kMaxDomainText) + ": " + std::string(found->text)};
}

MxHosts mx_hosts(
  std::string_view domain, const MxSet& answer, const std::vector<std::string>& own_names, Jitter& jitter
) {
  if (answer.status == MxSet::Status::no_such_domain) return tl::make_unexpected(MxRefusal::no_such_domain);
  const bool is_implicit = answer.status == MxSet::Status::no_data;
  const auto& records = answer.records;
  const bool is_null =
    !is_implicit && !records.empty() &&
    std::all_of(records.begin(), records.end(), [](const auto& record) { return record.host == "."; });
  if (is_null) return tl::make_unexpected(MxRefusal::null_mx);

  auto hosts = usable_hosts(is_implicit ? std::vector{MxSet::Record{0, std::string(domain)}} : records);
  if (hosts.empty()) return tl::make_unexpected(MxRefusal::no_usable_host);
  shuffle(hosts, jitter);
  sort(hosts);
  cut_at_ourselves(hosts, own_names);
  if (hosts.empty()) return tl::make_unexpected(MxRefusal::loop);
  return hosts;
}

}  // namespace relay::route
