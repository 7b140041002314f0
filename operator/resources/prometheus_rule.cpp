#include "operator/resources/prometheus_rule.hpp"

#include <yaml-cpp/yaml.h>

#include "operator/resources/monitoring_files.hpp"
#include "relay/base/text.hpp"

namespace op::resources {
namespace {

/// All that rules hold is text.
Json to_json(const YAML::Node& node) {
  if (node.IsScalar()) return node.Scalar();
  auto made = node.IsSequence() ? Json::array() : Json::object();
  if (node.IsSequence()) {
    for (const auto& item : node) made.push_back(to_json(item));
  } else {
    for (const auto& entry : node) made[entry.first.Scalar()] = to_json(entry.second);
  }
  return made;
}

const Json& rules_of_all_relays() {
  static const Json kRules = to_json(YAML::Load(std::string(relay_alerts())));
  return kRules;
}

bool is_of_name(char c) { return relay::is_alnum(c) || c == '_' || c == ':'; }

/// Labels that only series of this relay have; empty: the name is none of a series of its own.
std::string matchers_for(std::string_view name, const api::SmtpRelay& relay) {
  const auto within = "namespace=\"" + relay.name_space + "\",";
  if (name == "up" || name.starts_with("smtp_relay_")) return within + "relay=\"" + relay.name + "\"";
  if (name.starts_with("kube_daemonset_")) return within + "daemonset=\"" + child_name(relay) + "\"";
  return "";
}

/// Behind the quote that ends the text that begins here.
std::size_t end_of_text(std::string_view expression, std::size_t begin) {
  auto at = begin + 1;
  while (at < expression.size() && expression[at] != expression[begin])
    at += expression[at] == '\\' ? 2U : 1U;
  return std::min(at + 1, expression.size());
}

std::size_t end_of_name(std::string_view expression, std::size_t begin) {
  auto at = begin;
  while (at < expression.size() && is_of_name(expression[at])) ++at;
  return at;
}

}  // namespace

std::string narrowed(std::string_view expression, const api::SmtpRelay& relay) {
  std::string out;
  for (std::size_t at = 0; at < expression.size();) {
    const char c = expression[at];
    const bool is_text = c == '"' || c == '\'';
    const auto end = is_text         ? end_of_text(expression, at)
                     : is_of_name(c) ? end_of_name(expression, at)
                                     : at + 1;
    const auto token = expression.substr(at, end - at);
    const auto matchers = is_text ? "" : matchers_for(token, relay);
    out += token;
    at = end;
    if (matchers.empty()) continue;
    const bool has_some = at < expression.size() && expression[at] == '{';
    out += "{" + matchers + (has_some ? "," : "}");
    if (has_some) ++at;
  }
  return out;
}

Json prometheus_rule(const api::SmtpRelay& relay, const Json& more_labels) {
  auto spec = rules_of_all_relays();
  for (auto& group : spec["groups"]) {
    for (auto& rule : group["rules"]) rule["expr"] = narrowed(rule["expr"].get<std::string>(), relay);
  }
  return {
    {"apiVersion", "monitoring.coreos.com/v1"},
    {"kind", "PrometheusRule"},
    {"metadata", with_labels(metadata(relay), more_labels)},
    {"spec", std::move(spec)},
  };
}

}  // namespace op::resources
