#include "relay/route/route_table.hpp"

#include <algorithm>
#include <numeric>
#include <tuple>

#include "relay/base/text.hpp"
#include "relay/route/domain_pattern.hpp"

namespace relay::route {
namespace {

constexpr std::string_view kSmarthost = "smarthost/";
constexpr std::string_view kMx = "mx/";
constexpr std::string_view kReport = "#report";  // no domain holds such a mark

std::vector<std::string> normalized(const std::vector<std::string>& patterns) {
  std::vector<std::string> sorted;
  for (const auto& pattern : patterns) sorted.push_back(lower(pattern));
  std::sort(sorted.begin(), sorted.end());
  return sorted;
}

std::string behind(const Destination& destination, std::string_view prefix) {
  return destination.name.starts_with(prefix) ? destination.name.substr(prefix.size()) : std::string();
}

}  // namespace

Destination mx_destination(std::string_view domain) { return {std::string(kMx) + lower(domain)}; }
std::string mx_domain(const Destination& destination) {
  auto domain = behind(destination, kMx);
  if (is_report_destination(destination)) domain.resize(domain.size() - kReport.size());
  return domain;
}
Destination report_destination(Destination destination) {
  if (destination.name.starts_with(kMx) && !is_report_destination(destination)) destination.name += kReport;
  return destination;
}
bool is_report_destination(const Destination& destination) {
  return destination.name.starts_with(kMx) && destination.name.ends_with(kReport);
}
std::string smarthost_name(const Destination& destination) { return behind(destination, kSmarthost); }

RouteTable::RouteTable(const std::vector<SmarthostRule>& smarthosts) : smarthosts_(smarthosts) {
  std::vector<std::size_t> order(smarthosts_.size());
  std::iota(order.begin(), order.end(), 0U);
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    const auto key = [&](std::size_t i) { return std::tie(smarthosts_[i].priority, smarthosts_[i].name); };
    return key(a) < key(b);
  });
  for (const auto member : order) {
    const auto& rule = smarthosts_[member];
    const auto recipients = normalized(rule.recipient_domains);
    const auto senders = normalized(rule.sender_domains);
    const auto group = std::find_if(groups_.begin(), groups_.end(), [&](const Group& one) {
      return one.recipient_domains == recipients && one.sender_domains == senders;
    });
    if (group != groups_.end()) group->members.push_back(member);
    else groups_.push_back({{std::string(kSmarthost) + rule.name}, recipients, senders, {member}});
  }
}

Destination RouteTable::route(const mail::Address& sender, const mail::Address& recipient) const {
  const Group* best = nullptr;
  std::tuple<Match, Match> best_match{Match::none, Match::none};
  for (const auto& group : groups_) {
    const auto by_recipient = match_domain(group.recipient_domains, recipient.domain());
    const auto by_sender = match_domain(group.sender_domains, sender.domain());
    if (by_recipient == Match::none || by_sender == Match::none) continue;
    if (best != nullptr && std::tie(by_recipient, by_sender) <= best_match) continue;
    best = &group;
    best_match = {by_recipient, by_sender};
  }
  return best != nullptr ? best->destination : mx_destination(recipient.domain());
}

std::map<Destination, std::vector<std::uint32_t>> RouteTable::split(const mail::Envelope& envelope) const {
  std::vector<std::uint32_t> all(envelope.recipients.size());
  std::iota(all.begin(), all.end(), 0U);
  return split(envelope, all);
}

std::map<Destination, std::vector<std::uint32_t>> RouteTable::split(
  const mail::Envelope& envelope, const std::vector<std::uint32_t>& recipients
) const {
  std::map<Destination, std::vector<std::uint32_t>> split;
  for (const auto index : recipients)
    split[route(envelope.reverse_path, envelope.recipients[index])].push_back(index);
  return split;
}

std::vector<std::size_t> RouteTable::members(const Destination& destination) const {
  const auto group = std::find_if(groups_.begin(), groups_.end(), [&](const Group& one) {
    return one.destination == destination;
  });
  return group == groups_.end() ? std::vector<std::size_t>{} : group->members;
}

}  // namespace relay::route
