#include "operator/relay/spool_report.hpp"

#include <algorithm>
#include <map>
#include <optional>

#include "operator/relay/wording.hpp"
#include "relay/base/text.hpp"

namespace op::smtp_relay {
namespace {

using kube::Json;

/// As many as fit into the note of an Event, beside what else it says.
constexpr std::size_t kMostNodes = 10;

/// As of a pod's other troubles.
constexpr std::size_t kLongestReason = 300;

struct Sum {
  std::uint64_t waiting = 0;
  std::uint64_t failed = 0;
  std::size_t known = 0;
};

Sum sum_of(const SpoolReports& reports) {
  Sum sum;
  for (const auto& report : reports) {
    if (!report.is_known()) continue;
    ++sum.known;
    sum.waiting += report.waiting;
    sum.failed += report.failed;
  }
  return sum;
}

std::optional<std::uint64_t> number(const Json& page, const char* key) {
  const auto found = page.find(key);
  if (found == page.end() || !found->is_number_unsigned()) return std::nullopt;
  return found->get<std::uint64_t>();
}

std::string to_text(const SpoolReport& report) {
  return report.node + " (" + (report.is_known() ? std::to_string(report.waiting) : "unknown") + ")";
}

bool comes_first(const SpoolReport& a, const SpoolReport& b) {
  const auto rank = [](const SpoolReport& report) {
    if (!report.is_known()) return 1;
    return report.waiting > 0 ? 0 : 2;
  };
  if (rank(a) != rank(b)) return rank(a) < rank(b);
  return a.waiting > b.waiting;
}

}  // namespace

SpoolReport report_of(const Json& pod, std::string unknown) {
  return {kube::text_at(pod, "/spec/nodeName"), kube::text_at(pod, "/metadata/uid"), std::move(unknown)};
}

relay::Result<void> read_page(const std::string& page, SpoolReport& report) {
  const auto no = [](const char* why) { return relay::permanent(relay::Errc::protocol_error, why); };
  const auto facts = Json::parse(page, nullptr, false);
  if (!facts.is_object()) return no("the page /node is no JSON object");
  report.unready = relay::printable(kube::text_at(facts, "/reason"), kLongestReason);
  const auto accepting = facts.find("accepting");
  const auto sessions = number(facts, "sessions");
  if (accepting == facts.end() || !accepting->is_boolean() || !sessions)
    return no("the relay is older than the operator, and does not say what waits");
  const auto waiting = number(facts, "waiting");
  const auto failed = number(facts, "failed");
  if (!waiting || !failed) return no("the relay has not opened its spool");
  report.unknown.clear();
  report.waiting = *waiting;
  report.failed = *failed;
  report.takes_mail = accepting->get<bool>() || *sessions > 0;
  return {};
}

SpoolReports by_node(const SpoolReports& reports) {
  std::map<std::string, SpoolReport> nodes;
  for (const auto& report : reports) {
    const auto [at, is_new] = nodes.emplace(report.node, report);
    if (!is_new && (report.is_known() || !at->second.is_known())) at->second = report;
  }
  SpoolReports all;
  for (auto& [node, report] : nodes) all.push_back(std::move(report));
  return all;
}

std::string total_of(const SpoolReports& reports) {
  const auto sum = sum_of(reports);
  if (sum.known == 0) return "it is not known how many messages wait";
  auto text = (sum.known < reports.size() ? "at least " : "") + counted(sum.waiting, "message") +
              (sum.waiting == 1 ? " waits" : " wait");
  if (sum.failed > 0)
    text += " and " + counted(sum.failed, "dead letter") + (sum.failed == 1 ? " is kept" : " are kept");
  return text;
}

std::string nodes_of(const SpoolReports& reports) {
  auto nodes = reports;
  std::erase_if(nodes, [](const SpoolReport& report) { return report.node.empty(); });
  if (nodes.empty()) return "the nodes of its pods";
  std::stable_sort(nodes.begin(), nodes.end(), comes_first);
  std::vector<std::string> names;
  for (const auto& report : nodes) names.push_back(to_text(report));
  return (names.size() == 1 ? "node " : "nodes ") + listed(names, kMostNodes);
}

}  // namespace op::smtp_relay
