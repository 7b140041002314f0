#include "operator/relay/cordon.hpp"

#include <algorithm>
#include <array>

#include "operator/relay/owners.hpp"
#include "operator/resources/names.hpp"

namespace op::smtp_relay {
namespace {

using kube::text_at;

/// Set when the decision to take the node away has been made. Cluster autoscaler's mark of a mere candidate
/// (DeletionCandidateOfClusterAutoscaler) is none.
constexpr std::array<std::string_view, 3> kDrainTaints{
  "ToBeDeletedByClusterAutoscaler",  // cluster autoscaler
  "karpenter.sh/disrupted",          // Karpenter, from 1.0 on
  "karpenter.sh/disruption",         // Karpenter, before
};
/// What Kubernetes makes of spec.unschedulable; some set it alone.
constexpr std::string_view kUnschedulableTaint = "node.kubernetes.io/unschedulable";

bool has_taint(const Node& node, std::string_view key) {
  return std::any_of(node.taints.begin(), node.taints.end(), [&](const Taint& taint) {
    return taint.key == key;
  });
}

/// Of a pod as summarize() left it: what is wrong with it is its status.
bool is_ready(const Json& pod) { return !pod.contains("status"); }

std::string mark_on(const Json& pod) {
  return metadata_text(pod, "annotations", std::string(resources::kCordonedAnnotation));
}

/// The pods of the DaemonSet that stay.
std::vector<const Json*> own_pods(const World& world) {
  std::vector<const Json*> own;
  if (!world.daemon_set) return own;
  const auto uid = text_at(*world.daemon_set, "/metadata/uid");
  for (const auto& pod : world.pods) {
    if (kube::controller_of(pod).uid == uid && !kube::is_being_deleted(pod)) own.push_back(&pod);
  }
  return own;
}

}  // namespace

std::optional<std::string> cordon_of(const Node& node) {
  for (const auto key : kDrainTaints) {
    if (has_taint(node, key)) return std::string(key);
  }
  if (node.is_unschedulable || has_taint(node, kUnschedulableTaint)) return "unschedulable";
  return std::nullopt;
}

Cordons cordons_of(const World& world) {
  using Sight = Cordons::Sight;
  if (!world.relay.spec.cordon_aware) return {Sight::off};
  if (!world.nodes->unreadable.empty()) return {Sight::forbidden};
  if (!world.nodes->is_listed) return {Sight::pending};
  Cordons cordons{Sight::clear};
  for (const auto* pod : own_pods(world)) {
    const auto name = text_at(*pod, "/spec/nodeName");
    const auto* node = world.nodes->find(name);
    if (node == nullptr) continue;
    auto why = cordon_of(*node);
    if (!why) continue;
    cordons.nodes.emplace(name, std::move(*why));
    if (is_ready(*pod)) cordons.ready.insert(name);
  }
  return cordons;
}

std::vector<Mark> marks_due(const World& world, const Cordons& cordons) {
  std::vector<Mark> due;
  if (cordons.sight == Cordons::Sight::pending || cordons.sight == Cordons::Sight::forbidden) return due;
  for (const auto* pod : own_pods(world)) {
    const auto name = text_at(*pod, "/spec/nodeName");
    const bool is_known = world.nodes->find(name) != nullptr;
    if (cordons.sight == Cordons::Sight::clear && !is_known) continue;
    const auto found = cordons.nodes.find(name);
    const auto why = found == cordons.nodes.end() ? "" : found->second;
    if (mark_on(*pod) != why) due.push_back({*pod, name, why});
  }
  return due;
}

Json marking(const Mark& mark) {
  return {
    {"metadata",
     {{"uid", text_at(mark.pod, "/metadata/uid")},
      {"annotations",
       {{std::string(resources::kCordonedAnnotation), mark.why.empty() ? Json() : Json(mark.why)}}}}},
  };
}

bool has_rolled_out(const Rollout& rollout, const Cordons& cordons) {
  const auto drained = static_cast<std::int64_t>(cordons.nodes.size() - cordons.ready.size());
  return rollout.has_replaced_all() && rollout.available + drained >= rollout.desired;
}

}  // namespace op::smtp_relay
