#include "operator/relay/port_claims.hpp"

#include <algorithm>
#include <tuple>
#include <utility>

namespace op::smtp_relay {
namespace {

using kube::Json;
using kube::text_at;

/// As what the scheduler takes an address that is not given.
constexpr const char* kAllAddresses = "0.0.0.0";

const Json& list_in(const Json& object, const char* key) {
  static const Json kNothing = Json::array();
  const auto found = object.is_object() ? object.find(key) : object.end();
  return found != object.end() && found->is_array() ? *found : kNothing;
}

std::string or_else(std::string text, const char* otherwise) { return text.empty() ? otherwise : text; }

/// In which order the claims to the ports of a node are served.
enum class Rank : std::uint8_t { runs, holds, wants };
constexpr Rank kRanks[] = {Rank::runs, Rank::holds, Rank::wants};

bool is_older(const Claimants::value_type* one, const Claimants::value_type* other) {
  const auto age = [](const Claimants::value_type& each) {
    return std::tie(each.second.created, each.second.uid, each.first);
  };
  return age(*one) < age(*other);
}

/// A pod of this placement is there, or will be.
bool is_on(const Placement& placement, const Claimant& claimant, const Node& node) {
  const auto is_fit = fit(placement, node);
  return is_fit == Fit::runs || (is_fit == Fit::stays && claimant.has_pod(node.name));
}

/// What the claimant has or wants of a node by a claim of this rank; null: it has none.
/// @param controller_id  whose intents are known
const Stake* stake_on(
  const Node& node, const Claimant& claimant, Rank rank, const std::string& controller_id
) {
  if (rank == Rank::wants) {
    if (!claimant.wanted || claimant.is_idle || claimant.controller_id != controller_id) return nullptr;
    return fit(claimant.wanted->placement, node) == Fit::runs ? &*claimant.wanted : nullptr;
  }
  const auto* stake = claimant.holding();
  if (stake == nullptr || claimant.has_pod(node.name) != (rank == Rank::runs)) return nullptr;
  return is_on(stake->placement, claimant, node) ? stake : nullptr;
}

const HostPort* first_clash(const Stake& one, const Stake& other) {
  for (const auto& port : one.ports) {
    for (const auto& theirs : other.ports) {
      if (clash(port, theirs)) return &port;
    }
  }
  return nullptr;
}

/// Who has what this relay's spec asks for on this node; nothing when it gets it.
/// @param by_age  the contenders, the oldest first
std::optional<Loss> loss_on(const Node& node, const Contenders& by_age, const Claimants::value_type& judged) {
  const auto& wanted = *judged.second.wanted;
  if (fit(wanted.placement, node) != Fit::runs) return std::nullopt;
  std::vector<std::pair<const Claimants::value_type*, const Stake*>> served;
  for (const auto rank : kRanks) {
    for (const auto* each : by_age) {
      const auto* stake = stake_on(node, each->second, rank, judged.second.controller_id);
      if (stake == nullptr) continue;
      // It gets what nobody has by now.
      if (stake == &wanted) return std::nullopt;
      const bool is_in_the_way = std::any_of(served.begin(), served.end(), [&](const auto& other) {
        return other.first != each && clash(*other.second, *stake);
      });
      if (is_in_the_way) continue;
      const auto* port = each == &judged ? nullptr : first_clash(wanted, *stake);
      if (port != nullptr) return Loss{node.name, each->first, *port};
      served.emplace_back(each, stake);
    }
  }
  return std::nullopt;
}

bool clash_anywhere(const Claim& one, const Claim& other) {
  bool found = false;
  for_each_stake(one, [&](const Stake& mine) {
    for_each_stake(other, [&](const Stake& theirs) { found = found || clash(mine, theirs); });
  });
  return found;
}

/// The others who want a port that this one wants, wherever.
Contenders clashing(const Contenders& contenders, const Key& relay, const Claim& claim) {
  Contenders found;
  std::copy_if(contenders.begin(), contenders.end(), std::back_inserter(found), [&](const auto* other) {
    return other->first != relay && clash_anywhere(claim, other->second);
  });
  return found;
}

bool is_any_on(const Contenders& contenders, const Node& node) {
  return std::any_of(contenders.begin(), contenders.end(), [&](const auto* each) {
    return selects(each->second, node);
  });
}

}  // namespace

bool clash(const HostPort& one, const HostPort& other) {
  if (one.number != other.number || one.protocol != other.protocol) return false;
  return one.address == other.address || one.address == kAllAddresses || other.address == kAllAddresses;
}

bool clash(const Stake& one, const Stake& other) { return first_clash(one, other) != nullptr; }

Stake parse_stake(const Json& pod) {
  Stake stake{parse_placement(pod), {}};
  for (const auto& container : list_in(pod, "containers")) {
    for (const auto& port : list_in(container, "ports")) {
      const auto number = kube::number_at(port, "/hostPort");
      if (number == 0) continue;
      stake.ports.push_back(
        {or_else(text_at(port, "/protocol"), "TCP"), or_else(text_at(port, "/hostIP"), kAllAddresses), number}
      );
    }
  }
  return stake;
}

bool selects(const Claim& claim, const Node& node) {
  bool found = false;
  for_each_stake(claim, [&](const Stake& stake) {
    found = found || fit(stake.placement, node) != Fit::none;
  });
  return found;
}

bool Claimant::has_pod(const std::string& node) const {
  if (!held) return false;
  const auto there = pods.find(node);
  return there != pods.end() && std::any_of(there->second.begin(), there->second.end(), [&](const auto& pod) {
           return pod.second == held->daemon_set;
         });
}

PortVerdict judge(
  Contenders contenders, const Nodes& nodes, const Key& relay, const resources::Exclusions& live
) {
  PortVerdict verdict;
  const auto found = std::find_if(contenders.begin(), contenders.end(), [&](const auto* each) {
    return each->first == relay;
  });
  if (found == contenders.end() || !(*found)->second.wanted) return verdict;
  const auto& judged = **found;
  const auto& wanted = *judged.second.wanted;
  verdict.wants = !wanted.ports.empty();
  if (!verdict.wants || nodes.by_name.empty()) return verdict;
  const auto others = clashing(contenders, relay, judged.second);
  if (others.empty() && live == resources::Exclusions{}) return verdict;
  bool are_sorted = false;
  for (const auto& [name, node] : nodes.by_name) {
    if (!is_on(wanted.placement, judged.second, *node)) continue;
    ++verdict.nodes;
    const bool is_contested = is_any_on(others, *node);
    if (is_contested && !std::exchange(are_sorted, true))
      std::sort(contenders.begin(), contenders.end(), is_older);
    if (auto loss = is_contested ? loss_on(*node, contenders, judged) : std::nullopt)
      verdict.lost.push_back(std::move(*loss));
    else if (live.nodes.contains(name)) verdict.to_be_had.insert(name);
  }
  return verdict;
}

std::set<Key> rivals(
  const Contenders& contenders, const std::vector<const Node*>& on, const Key& relay, const Claim& claim
) {
  std::set<Key> found;
  std::vector<const Node*> own;
  std::copy_if(on.begin(), on.end(), std::back_inserter(own), [&](const Node* node) {
    return selects(claim, *node);
  });
  if (own.empty()) return found;
  for (const auto* other : clashing(contenders, relay, claim)) {
    const bool meets =
      std::any_of(own.begin(), own.end(), [&](const Node* node) { return selects(other->second, *node); });
    if (meets) found.insert(other->first);
  }
  return found;
}

resources::Exclusions exclusions_by(
  const PortVerdict& verdict, const resources::Exclusions& live, const Nodes& nodes
) {
  if (!verdict.wants) return {};
  const bool wins_none = verdict.lost.size() == verdict.nodes;
  if (wins_none && (live.all || !verdict.lost.empty())) return {true, {}};
  std::set<std::string> lost;
  for (const auto& loss : verdict.lost) lost.insert(loss.node);
  std::set<std::string> kept;
  std::set_difference(
    live.nodes.begin(), live.nodes.end(), verdict.to_be_had.begin(), verdict.to_be_had.end(),
    std::inserter(kept, kept.end())
  );
  const bool is_enough =
    kept == live.nodes && std::includes(kept.begin(), kept.end(), lost.begin(), lost.end());
  if (is_enough) return {false, std::move(kept)};
  std::erase_if(kept, [&](const std::string& node) { return nodes.find(node) == nullptr; });
  lost.merge(kept);
  return {false, std::move(lost)};
}

}  // namespace op::smtp_relay
