#pragma once
/// Which destination a recipient's mail waits for.

#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "relay/mail/envelope.hpp"
#include "relay/route/next_hop.hpp"

namespace relay::route {

/// What the table needs to know of a smarthost.
struct SmarthostRule {
  std::string name;
  std::uint64_t priority = 10;  ///< the lowest is tried first
  std::uint64_t weight = 1;     ///< share among those of equal priority, at least 1
  std::vector<std::string> recipient_domains;
  std::vector<std::string> sender_domains;
};

/// Smarthosts with the same domains are one destination, named by the first of them (by priority, then name), and
/// stand in for each other. A message goes to the most exact match: recipient before sender, a domain before
/// `*.domain` before everything. What none matches goes to `mx/<recipient's domain>`.
///
/// Immutable; thread: any. A domain that a smarthost names is found among all of them at once; each that has a pattern, or
/// names no recipients, is looked at for all others.
class RouteTable {
 public:
  explicit RouteTable(const std::vector<SmarthostRule>& smarthosts);

  [[nodiscard]] Destination route(const mail::Address& sender, const mail::Address& recipient) const;
  /// The same of an envelope's recipient, whose mail a rule may have given to a smarthost: then it waits for that one and
  /// those that stand in for it. One that is not there any more is as if it had not been named.
  [[nodiscard]] Destination route(const mail::Envelope& envelope, std::uint32_t recipient) const;
  /// Recipients of an envelope by destination, as indices in their order.
  [[nodiscard]] std::map<Destination, std::vector<std::uint32_t>> split(const mail::Envelope& envelope) const;
  /// The same for some of them.
  [[nodiscard]] std::map<Destination, std::vector<std::uint32_t>> split(
    const mail::Envelope& envelope, const std::vector<std::uint32_t>& recipients
  ) const;

  /// Indices into the constructor's list of the smarthosts behind a destination, by priority; empty for others.
  [[nodiscard]] std::vector<std::size_t> members(const Destination& destination) const;
  [[nodiscard]] const std::vector<SmarthostRule>& smarthosts() const { return smarthosts_; }

  /// The order in which to try them now: by priority, and among equals by chance with their weights.
  /// @param chance  called for numbers in [0, 1)
  template <class Chance>
  [[nodiscard]] std::vector<std::size_t> order(const Destination& destination, Chance chance) const;

 private:
  struct Group {
    Destination destination;
    std::vector<std::string> recipient_domains;
    std::vector<std::string> sender_domains;
    std::vector<std::size_t> members;
  };
  [[nodiscard]] const Group* best_of(
    const std::vector<std::size_t>& groups, std::string_view sender_domain, std::string_view recipient_domain
  ) const;
  std::vector<SmarthostRule> smarthosts_;
  std::vector<Group> groups_;
  // Indices into groups_, in their order.
  std::unordered_map<std::string, std::vector<std::size_t>> naming_;  // by a domain, lower case
  std::vector<std::size_t> open_;                                     // that take others than they name
  std::map<Destination, std::size_t> by_destination_;
  std::unordered_map<std::string, std::size_t> by_smarthost_;  // of its name
};

/// `mx/<domain>`, in lower case.
[[nodiscard]] Destination mx_destination(std::string_view domain);
/// The domain of `mx/<domain>`, also of its reports; empty for other destinations.
[[nodiscard]] std::string mx_domain(const Destination& destination);
/// `mx/<domain>#report`: reports of TLS failures wait apart from a domain's other mail, since they go out in spite of
/// such failures (RFC 8460 section 3). Other destinations stay as they are.
[[nodiscard]] Destination report_destination(Destination destination);
[[nodiscard]] bool is_report_destination(const Destination& destination);
/// The name of `smarthost/<name>`; empty for other destinations.
[[nodiscard]] std::string smarthost_name(const Destination& destination);

template <class Chance>
std::vector<std::size_t> RouteTable::order(const Destination& destination, Chance chance) const {
  auto left = members(destination);
  std::vector<std::size_t> ordered;
  while (!left.empty()) {
    const auto priority = smarthosts_[left.front()].priority;
    std::uint64_t sum = 0;
    for (const auto member : left)
      sum += smarthosts_[member].priority == priority ? smarthosts_[member].weight : 0;
    auto at = static_cast<std::uint64_t>(chance() * static_cast<double>(sum));
    std::size_t chosen = 0;
    while (at >= smarthosts_[left[chosen]].weight) at -= smarthosts_[left[chosen++]].weight;
    ordered.push_back(left[chosen]);
    left.erase(left.begin() + static_cast<std::ptrdiff_t>(chosen));
  }
  return ordered;
}

}  // namespace relay::route
