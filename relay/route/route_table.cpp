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

bool is_pattern(const std::string& domain) { return domain.starts_with("*"); }

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
  std::map<std::pair<std::vector<std::string>, std::vector<std::string>>, std::size_t> by_domains;
  for (const auto member : order) {
    const auto& rule = smarthosts_[member];
    const auto recipients = normalized(rule.recipient_domains);
    const auto senders = normalized(rule.sender_domains);
    const auto [known, is_new] = by_domains.try_emplace({recipients, senders}, groups_.size());
    if (is_new) groups_.push_back({{std::string(kSmarthost) + rule.name}, recipients, senders, {}});
    groups_[known->second].members.push_back(member);
    by_smarthost_.emplace(rule.name, known->second);
  }
  for (std::size_t i = 0; i < groups_.size(); ++i) {
    by_destination_.emplace(groups_[i].destination, i);
    const auto& domains = groups_[i].recipient_domains;
    for (const auto& domain : domains) {
      if (!is_pattern(domain)) naming_[domain].push_back(i);
    }
    if (domains.empty() || std::any_of(domains.begin(), domains.end(), is_pattern)) open_.push_back(i);
  }
}

/// The first of those that match best; null: none does.
const RouteTable::Group* RouteTable::best_of(
  const std::vector<std::size_t>& groups, std::string_view sender_domain, std::string_view recipient_domain
) const {
  const Group* best = nullptr;
  std::tuple<Match, Match> best_match{Match::none, Match::none};
  for (const auto index : groups) {
    const auto& group = groups_[index];
    const auto by_recipient = match_domain(group.recipient_domains, recipient_domain);
    const auto by_sender = match_domain(group.sender_domains, sender_domain);
    if (by_recipient == Match::none || by_sender == Match::none) continue;
    if (best != nullptr && std::tie(by_recipient, by_sender) <= best_match) continue;
    best = &group;
    best_match = {by_recipient, by_sender};
  }
  return best;
}

/// A recipient's domain that is named goes before all else, whatever the sender's says.
Destination RouteTable::route(const mail::Address& sender, const mail::Address& recipient) const {
  const auto naming = naming_.find(lower(recipient.domain()));
  if (naming != naming_.end()) {
    if (const auto* best = best_of(naming->second, sender.domain(), recipient.domain()))
      return best->destination;
  }
  const auto* best = best_of(open_, sender.domain(), recipient.domain());
  return best != nullptr ? best->destination : mx_destination(recipient.domain());
}

Destination RouteTable::route(const mail::Envelope& envelope, std::uint32_t recipient) const {
  if (!envelope.smarthosts.empty()) {
    const auto named = by_smarthost_.find(envelope.smarthosts[recipient]);
    if (named != by_smarthost_.end()) return groups_[named->second].destination;
  }
  return route(envelope.reverse_path, envelope.recipients[recipient]);
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
  for (const auto index : recipients) split[route(envelope, index)].push_back(index);
  return split;
}

std::vector<std::size_t> RouteTable::members(const Destination& destination) const {
  const auto known = by_destination_.find(destination);
  return known == by_destination_.end() ? std::vector<std::size_t>{} : groups_[known->second].members;
}

}  // namespace relay::route
