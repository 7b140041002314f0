#include "operator/relay/trouble.hpp"

#include <algorithm>
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
/// In what summarize() leaves: the node is the one that the pod is for, and none has it yet.
constexpr const char* kUnbound = "unbound";
/// No field of a pod: what is in `status` of a summary is its trouble.
constexpr const char* kAddress = "address";
constexpr std::string_view kPending = "Pending";

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
  if (text_at(pod, "/status/phase") == "Running")
    return Cause{std::string(kNotReady), text_at(ready, "/message")};
  return Cause{std::string(kPending), ""};
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
  const bool is_bound = !text_at(pod, "/spec/nodeName").empty();
  pod["spec"] = {{"nodeName", trouble ? trouble->node : text_at(pod, "/spec/nodeName")}};
  if (!is_bound) pod["spec"][kUnbound] = true;
  pod[kAddress] = text_at(pod, "/status/podIP");
  pod.erase("status");
  if (!trouble) return;
  pod["status"] = {{"reason", trouble->reason}, {"message", trouble->message}};
}

std::string bound_to(const Json& pod) {
  const auto spec = pod.find("spec");
  if (spec == pod.end() || spec->contains(kUnbound)) return {};
  return text_at(pod, "/spec/nodeName");
}

std::string address_of(const Json& pod) { return pod.value(kAddress, ""); }

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

std::string to_text(const std::vector<Trouble>& troubles) {
  if (troubles.empty()) return {};
  const auto& first = troubles.front();
  auto text = (first.node.empty() ? "a pod" : first.node) + ": " + first.reason;
  if (!first.message.empty()) text += " (" + first.message + ")";
  if (troubles.size() > 1) text += ", and " + std::to_string(troubles.size() - 1) + " more";
  return text;
}

bool may_pass(const Trouble& trouble) {
  constexpr std::string_view kPassing[] = {kTerminating, kNotReady, kPending, kCordoned};
  return is_beginning(trouble.reason) ||
         std::find(std::begin(kPassing), std::end(kPassing), trouble.reason) != std::end(kPassing);
}

}  // namespace op::smtp_relay
