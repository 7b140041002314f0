#include "operator/resources/placing.hpp"

#include <algorithm>

namespace op::resources {
namespace {

constexpr const char* kRequired = "requiredDuringSchedulingIgnoredDuringExecution";
constexpr const char* kTerms = "nodeSelectorTerms";
constexpr const char* kFields = "matchFields";
constexpr const char* kName = "metadata.name";

/// The required terms of a node affinity that can match a node: an empty one matches none. Nothing: any node matches.
std::optional<Json> terms_of(const Json& node_affinity) {
  const auto required = node_affinity.find(kRequired);
  if (required == node_affinity.end() || !required->is_object()) return std::nullopt;
  Json terms = Json::array();
  for (const auto& term : required->value(kTerms, Json::array())) {
    if (!term.value("matchExpressions", Json::array()).empty() || !term.value(kFields, Json::array()).empty())
      terms.push_back(term);
  }
  return terms;
}

/// One value each: the API server takes no more.
Json is_not(const std::string& node) {
  return {{"key", kName}, {"operator", "NotIn"}, {"values", Json::array({node})}};
}

/// The user's affinity, less the excluded nodes. No term at all can't be said; an empty one matches no node.
Json without(const Json& node_affinity, const Exclusions& exclusions) {
  auto terms = terms_of(node_affinity).value_or(Json::array({Json::object()}));
  if (exclusions.all || terms.empty()) terms = Json::array({Json::object()});
  else {
    for (auto& term : terms) {
      auto& fields = term[kFields];
      for (const auto& node : exclusions.nodes) fields.push_back(is_not(node));
    }
  }
  auto affinity = node_affinity;
  affinity[kRequired] = {{kTerms, std::move(terms)}};
  return affinity;
}

/// The nodes that a term rules out by their names.
std::set<std::string> names_excluded_by(const Json& term) {
  std::set<std::string> names;
  for (const auto& field : term.value(kFields, Json::array())) {
    if (field.value("key", "") != kName || field.value("operator", "") != "NotIn") continue;
    for (const auto& name : field.value("values", Json::array())) names.insert(name.get<std::string>());
  }
  return names;
}

}  // namespace

void place(const api::Spec& spec, const Exclusions& exclusions, Json& pod) {
  if (!spec.node_selector.empty()) pod["nodeSelector"] = spec.node_selector;
  if (!spec.tolerations.empty()) pod["tolerations"] = spec.tolerations;
  const auto affinity =
    exclusions == Exclusions{} ? spec.node_affinity : without(spec.node_affinity, exclusions);
  if (!affinity.empty()) pod["affinity"] = {{"nodeAffinity", affinity}};
  if (!spec.priority_class_name.empty()) pod["priorityClassName"] = spec.priority_class_name;
  if (!spec.runtime_class_name.empty()) pod["runtimeClassName"] = spec.runtime_class_name;
}

std::size_t requirements_of(const api::Spec& spec, const Exclusions& exclusions) {
  const auto terms = terms_of(spec.node_affinity);
  return exclusions.nodes.size() * (terms ? terms->size() : 1);
}

Exclusions exclusions_in(const Json& pod, const api::Spec& spec) {
  static const Json::json_pointer kAffinity("/affinity/nodeAffinity");
  if (!pod.contains(kAffinity) || !pod.at(kAffinity).is_object()) return {};
  const auto made = terms_of(pod.at(kAffinity));
  const auto own = terms_of(spec.node_affinity);
  if (!made) return {};
  Exclusions exclusions;
  exclusions.all = made->empty() && (!own || !own->empty());
  if (made->empty()) return exclusions;
  exclusions.nodes = names_excluded_by(made->front());
  if (own && !own->empty()) {
    for (const auto& name : names_excluded_by(own->front())) exclusions.nodes.erase(name);
  }
  return exclusions;
}

}  // namespace op::resources
