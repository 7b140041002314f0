#include "operator/relay/placement.hpp"

#include <algorithm>
#include <charconv>

namespace op::smtp_relay {
namespace {

using kube::Json;
using kube::text_at;

Json list_at(const Json& object, const char* pointer) {
  const Json::json_pointer at(pointer);
  return object.contains(at) && object.at(at).is_array() ? object.at(at) : Json::array();
}

std::vector<Placement::Requirement> parse_requirements(const Json& list) {
  std::vector<Placement::Requirement> parsed;
  for (const auto& each : list) {
    Placement::Requirement requirement{text_at(each, "/key"), text_at(each, "/operator"), {}};
    for (const auto& value : list_at(each, "/values")) {
      if (value.is_string()) requirement.values.push_back(value.get<std::string>());
    }
    parsed.push_back(std::move(requirement));
  }
  return parsed;
}

std::optional<std::vector<Placement::Term>> parse_terms(const Json& pod) {
  static const Json::json_pointer kRequired(
    "/affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution"
  );
  if (!pod.contains(kRequired) || !pod.at(kRequired).is_object()) return std::nullopt;
  std::vector<Placement::Term> terms;
  for (const auto& term : list_at(pod.at(kRequired), "/nodeSelectorTerms"))
    terms.push_back(
      {parse_requirements(list_at(term, "/matchExpressions")),
       parse_requirements(list_at(term, "/matchFields"))}
    );
  return terms;
}

/// What the DaemonSet controller adds to every pod. The others that it adds are for taints that say how a node is, which
/// Node does not hold.
const Placement::Toleration kOfDaemonSets{"node.kubernetes.io/unschedulable", "Exists", "", "NoSchedule"};
const Placement::Toleration kOfTheNodesNetwork{
  "node.kubernetes.io/network-unavailable", "Exists", "", "NoSchedule"
};

std::optional<std::int64_t> number(const std::string& text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

bool is_among(const std::vector<std::string>& values, const std::string& value) {
  return std::find(values.begin(), values.end(), value) != values.end();
}

/// A label that is no number is neither greater nor less.
bool compares(const Placement::Requirement& requirement, const std::string& label) {
  if (requirement.values.size() != 1) return false;
  const auto is = number(label);
  const auto bound = number(requirement.values[0]);
  if (!is || !bound) return false;
  return requirement.comparison == "Gt" ? *is > *bound : *is < *bound;
}

bool meets(const Node& node, const Placement::Requirement& requirement) {
  const auto found = node.labels.find(requirement.key);
  const bool has = found != node.labels.end();
  const auto& comparison = requirement.comparison;
  if (comparison == "Exists") return has;
  if (comparison == "DoesNotExist") return !has;
  if (comparison == "In") return has && is_among(requirement.values, found->second);
  if (comparison == "NotIn") return !has || !is_among(requirement.values, found->second);
  if (comparison == "Gt" || comparison == "Lt") return has && compares(requirement, found->second);
  return false;
}

/// One value, In or NotIn: the API has nothing else for fields.
bool meets_field(const Node& node, const Placement::Requirement& requirement) {
  if (requirement.key != "metadata.name" || requirement.values.size() != 1) return false;
  const bool is_it = requirement.values[0] == node.name;
  if (requirement.comparison == "In") return is_it;
  return requirement.comparison == "NotIn" && !is_it;
}

bool matches(const Node& node, const Placement::Term& term) {
  if (term.labels.empty() && term.fields.empty()) return false;
  return std::all_of(
           term.labels.begin(), term.labels.end(), [&](const auto& each) { return meets(node, each); }
         ) &&
         std::all_of(term.fields.begin(), term.fields.end(), [&](const auto& each) {
           return meets_field(node, each);
         });
}

bool selects(const Placement& placement, const Node& node) {
  const auto has = [&](const auto& wanted) {
    const auto found = node.labels.find(wanted.first);
    return found != node.labels.end() && found->second == wanted.second;
  };
  if (!std::all_of(placement.node_selector.begin(), placement.node_selector.end(), has)) return false;
  return !placement.terms ||
         std::any_of(placement.terms->begin(), placement.terms->end(), [&](const auto& term) {
           return matches(node, term);
         });
}

bool tolerates(const Placement::Toleration& toleration, const Taint& taint) {
  if (!toleration.effect.empty() && toleration.effect != taint.effect) return false;
  if (!toleration.key.empty() && toleration.key != taint.key) return false;
  return toleration.comparison == "Exists" || toleration.value == taint.value;
}

/// Some taint of this effect keeps the pod away.
bool repels(const Node& node, const Placement& placement, std::string_view effect) {
  return std::any_of(node.taints.begin(), node.taints.end(), [&](const Taint& taint) {
    return taint.effect == effect &&
           std::none_of(placement.tolerations.begin(), placement.tolerations.end(), [&](const auto& each) {
             return tolerates(each, taint);
           });
  });
}

}  // namespace

Placement parse_placement(const Json& pod) {
  Placement placement;
  if (const auto selector = pod.find("nodeSelector"); selector != pod.end() && selector->is_object()) {
    for (const auto& [key, value] : selector->items()) {
      if (value.is_string()) placement.node_selector.emplace_back(key, value.get<std::string>());
    }
  }
  placement.terms = parse_terms(pod);
  for (const auto& each : list_at(pod, "/tolerations"))
    placement.tolerations.push_back(
      {text_at(each, "/key"), text_at(each, "/operator"), text_at(each, "/value"), text_at(each, "/effect")}
    );
  placement.tolerations.push_back(kOfDaemonSets);
  if (const auto host = pod.find("hostNetwork"); host != pod.end() && *host == true)
    placement.tolerations.push_back(kOfTheNodesNetwork);
  return placement;
}

Fit fit(const Placement& placement, const Node& node) {
  if (!selects(placement, node) || repels(node, placement, "NoExecute")) return Fit::none;
  return repels(node, placement, "NoSchedule") ? Fit::stays : Fit::runs;
}

}  // namespace op::smtp_relay
