#include "operator/relay/trouble.hpp"

#include <map>

#include "relay/base/text.hpp"

namespace op::smtp_relay {
namespace {

using kube::Json;
using kube::number_at;
using kube::text_at;

/// The last lines of a relay that ended are in a message; who wants more reads its log.
constexpr std::size_t kLongestMessage = 300;
constexpr std::string_view kTerminating = "Terminating";

Json list_at(const Json& object, const char* pointer) {
  const Json::json_pointer at(pointer);
  return object.contains(at) && object.at(at).is_array() ? object.at(at) : Json::array();
}

Json condition(const Json& pod, std::string_view type) {
  for (const auto& each : list_at(pod, "/status/conditions")) {
    if (text_at(each, "/type") == type) return each;
  }
  return Json::object();
}

/// Until it is scheduled, a DaemonSet's pod says by its affinity for which node it is.
std::string node_of(const Json& pod) {
  auto name = text_at(pod, "/spec/nodeName");
  if (!name.empty()) return name;
  constexpr const char* kTerms =
    "/spec/affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution/nodeSelectorTerms";
  for (const auto& term : list_at(pod, kTerms)) {
    for (const auto& field : list_at(term, "/matchFields")) {
      if (text_at(field, "/key") == "metadata.name") return text_at(field, "/values/0");
    }
  }
  return {};
}

struct Cause {
  std::string reason;
  std::string message;
};

/// Waits that every container has, when nothing is wrong.
bool is_beginning(const std::string& reason) {
  return reason == "ContainerCreating" || reason == "PodInitializing";
}

/// What a container waits for, or why it ended; nothing of one that runs or did what it should.
std::optional<Cause> cause_of(const Json& container) {
  if (const auto reason = text_at(container, "/state/waiting/reason"); !reason.empty()) {
    // Why it ended last says more than that it will be tried again.
    const auto last = text_at(container, "/lastState/terminated/message");
    return Cause{reason, last.empty() ? text_at(container, "/state/waiting/message") : last};
  }
  if (number_at(container, "/state/terminated/exitCode") == 0) return std::nullopt;
  return Cause{
    text_at(container, "/state/terminated/reason"), text_at(container, "/state/terminated/message")
  };
}

std::optional<Cause> cause_in_containers(const Json& pod) {
  std::optional<Cause> beginning;
  for (const auto* list : {"/status/initContainerStatuses", "/status/containerStatuses"}) {
    for (const auto& container : list_at(pod, list)) {
      auto cause = cause_of(container);
      if (!cause) continue;
      if (!is_beginning(cause->reason)) return cause;
      if (!beginning) beginning = std::move(cause);
    }
  }
  return beginning;
}

std::optional<Cause> cause_of_pod(const Json& pod) {
  if (kube::is_being_deleted(pod)) return Cause{std::string(kTerminating), ""};
  const auto ready = condition(pod, "Ready");
  if (text_at(ready, "/status") == "True") return std::nullopt;
  // Evicted, NodeAffinity, UnexpectedAdmissionError and so on.
  if (const auto reason = text_at(pod, "/status/reason"); !reason.empty())
    return Cause{reason, text_at(pod, "/status/message")};
  const auto scheduled = condition(pod, "PodScheduled");
  if (text_at(scheduled, "/status") == "False")
    return Cause{text_at(scheduled, "/reason"), text_at(scheduled, "/message")};
  if (auto cause = cause_in_containers(pod)) return cause;
  if (text_at(pod, "/status/phase") == "Running") return Cause{"NotReady", text_at(ready, "/message")};
  return Cause{"Pending", ""};
}

}  // namespace

std::optional<Trouble> trouble_of(const Json& pod) {
  const auto cause = cause_of_pod(pod);
  if (!cause) return std::nullopt;
  return Trouble{
    node_of(pod), cause->reason.empty() ? "Unknown" : relay::printable(cause->reason, 100),
    relay::printable(cause->message, kLongestMessage)
  };
}

void summarize(Json& pod) {
  const auto trouble = trouble_of(pod);
  pod["spec"] = {{"nodeName", trouble ? trouble->node : text_at(pod, "/spec/nodeName")}};
  pod.erase("status");
  if (!trouble) return;
  pod["status"] = {{"reason", trouble->reason}, {"message", trouble->message}};
}

std::vector<Trouble> troubles_of(const std::vector<Json>& pods, const std::string& daemon_set_uid) {
  std::map<std::string, Trouble> by_node;
  for (const auto& pod : pods) {
    if (!pod.contains("status") || kube::controller_of(pod).uid != daemon_set_uid) continue;
    Trouble trouble{
      text_at(pod, "/spec/nodeName"), text_at(pod, "/status/reason"), text_at(pod, "/status/message")
    };
    auto& known = by_node[trouble.node];
    if (known.reason.empty() || known.reason == kTerminating) known = std::move(trouble);
  }
  std::vector<Trouble> troubles;
  for (auto& [node, trouble] : by_node) troubles.push_back(std::move(trouble));
  return troubles;
}

}  // namespace op::smtp_relay
