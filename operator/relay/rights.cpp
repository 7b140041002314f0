#include "operator/relay/rights.hpp"

#include <algorithm>

#include "operator/api/smtp_relay.hpp"

namespace op::smtp_relay {
namespace {

struct Row {
  std::string_view group;
  std::string_view resource;
  std::string_view subresource;
  std::vector<std::string_view> verbs;
  bool is_required;
  std::string_view without;
};

constexpr std::string_view kNothing = "no relay is served";
constexpr std::string_view kCordons =
  "relays on cordoned nodes are not told to drain, relays do not know the addresses of other nodes, and "
  "PortAvailable stays "
  "Unknown";
constexpr std::string_view kMonitoring = "monitoring.coreos.com";
constexpr std::string_view kLease = "nobody leads, and nothing is written";

/// Of a child that mail can do without: what of it is lost is the same whichever verb is missing.
std::vector<std::string_view> all() {
  return {"get", "list", "watch", "create", "patch", "update", "delete"};
}

const std::vector<Row>& rows() {
  static const std::vector<Row> kRows{
    {api::kGroup, api::kPlural, "", {"get", "list", "watch"}, true, kNothing},
    {api::kGroup, api::kPlural, "", {"patch"}, false, "no deletion waits for the mail (spool.onDelete)"},
    {api::kGroup, api::kPlural, "status", {"patch"}, true, "no status is published, and no relay is made"},
    {api::kGroup,
     api::kPlural,
     "finalizers",
     {"update"},
     false,
     "where admission checks owner references (OpenShift), children are refused"},
    {"apps", "daemonsets", "", {"get", "list", "watch", "create", "patch"}, true, kNothing},
    {"apps", "daemonsets", "", {"update"}, true, "what others add to a DaemonSet stays"},
    {"", "configmaps", "", {"get", "list", "watch", "create", "patch"}, true, kNothing},
    {"", "configmaps", "", {"update"}, true, "what others add to a ConfigMap stays"},
    {"", "configmaps", "", {"delete"}, false, "a dashboard that a relay no longer wants stays"},
    {"", "serviceaccounts", "", {"get", "list", "watch", "create", "patch"}, true, kNothing},
    {"", "serviceaccounts", "", {"delete"}, false, "one that a relay no longer uses stays"},
    {"", "services", "", {"get", "list", "watch", "create", "patch"}, true, kNothing},
    {"", "services", "", {"update"}, true, "what others add to a Service stays"},
    {"", "services", "", {"delete"}, true, "a Service that is no longer wanted stays"},
    {kMonitoring, "podmonitors", "", all(), false, "no PodMonitors: Prometheus finds relays by annotations"},
    {kMonitoring, "prometheusrules", "", all(), false,
     "no PrometheusRules: nobody is told of a relay's trouble"},
    {"networking.k8s.io", "networkpolicies", "", all(), false,
     "networkPolicy: Managed restricts nothing, or stays"},
    {"", "secrets", "", {"list", "watch"}, true, kNothing},
    {"", "secrets", "", {"get"}, true, "relays that name a Secret are not made"},
    {"", "pods", "", {"list", "watch"}, true, kNothing},
    {"", "pods", "", {"patch"}, false, "running pods read changed files a minute or so later"},
    {"", "namespaces", "", {"get"}, false, "PodSecurityAllowed stays Unknown"},
    {"events.k8s.io", "events", "", {"create", "patch"}, false, "no Events"},
    {"events.k8s.io", "events", "", {"list"}, false, "nothing tells why the API server refuses pods"},
  };
  return kRows;
}

std::string padded(std::string text, std::size_t width) {
  text.resize(std::max(text.size(), width), ' ');
  return text;
}

}  // namespace

std::vector<Right> rights_used(const Realm& realm) {
  std::vector<Right> rights;
  const auto add = [&](const std::string& name_space, const Row& row, const std::string& name) {
    for (const auto verb : row.verbs)
      rights.push_back(
        {{name_space, std::string(verb), std::string(row.group), std::string(row.resource),
          std::string(row.subresource), name},
         row.is_required,
         row.without}
      );
  };
  for (const auto& name_space : realm.namespaces) {
    for (const auto& row : rows()) add(name_space, row, "");
  }
  // Of the cluster, whichever namespaces are served.
  add("", {"", "nodes", "", {"list", "watch"}, false, kCordons}, "");
  if (realm.lease.empty()) return rights;
  add(realm.own_namespace, {"coordination.k8s.io", "leases", "", {"create"}, true, kLease}, "");
  add(
    realm.own_namespace, {"coordination.k8s.io", "leases", "", {"get", "update"}, true, kLease}, realm.lease
  );
  return rights;
}

kube::Answer<std::vector<Verdict>> ask_for(
  kube::Client& client, const std::vector<Right>& rights, const std::stop_token& stop
) {
  std::vector<Verdict> verdicts;
  for (const auto& right : rights) {
    const auto answer = client.may_we(right.question, stop);
    if (!answer) return tl::unexpected(answer.error());
    verdicts.push_back({right, *answer});
  }
  return verdicts;
}

std::string resource_of(const kube::AccessQuestion& question) {
  auto text = question.resource;
  if (!question.group.empty()) text += "." + question.group;
  if (!question.subresource.empty()) text += "/" + question.subresource;
  if (!question.name.empty()) text += " " + question.name;
  return text;
}

std::string to_table(const std::vector<Verdict>& verdicts) {
  const std::string all = "(all)";
  std::size_t name_width = std::string_view("NAMESPACE").size();
  std::size_t resource_width = std::string_view("RESOURCE").size();
  for (const auto& [right, is_allowed] : verdicts) {
    name_width = std::max({name_width, right.question.name_space.size(), all.size()});
    resource_width = std::max(resource_width, resource_of(right.question).size());
  }
  const auto line = [&](const std::string& name, const std::string& resource, const std::string& verb) {
    return padded(name, name_width) + "  " + padded(resource, resource_width) + "  " + padded(verb, 6) + "  ";
  };
  auto text = line("NAMESPACE", "RESOURCE", "VERB") + "ALLOWED\n";
  for (const auto& [right, is_allowed] : verdicts) {
    const auto& asked = right.question;
    text += line(asked.name_space.empty() ? all : asked.name_space, resource_of(asked), asked.verb);
    text += is_allowed ? "yes" : (right.is_required ? "NO: " : "no: ") + std::string(right.without);
    text += "\n";
  }
  return text;
}

bool lacks_what_is_required(const std::vector<Verdict>& verdicts) {
  return std::any_of(verdicts.begin(), verdicts.end(), [](const Verdict& verdict) {
    return verdict.right.is_required && !verdict.is_allowed;
  });
}

}  // namespace op::smtp_relay
