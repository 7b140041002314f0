#include "operator/relay/pod_annotator.hpp"

#include "operator/relay/failures.hpp"

namespace op::smtp_relay {

using kube::Answer;
using runtime::Outcome;
namespace log = relay::log;

/// One that can't be told keeps no other from it: the failure that counts is told behind all of them.
Answer<void> PodAnnotator::mark(
  const World& world, const Plan& plan, Witness& witness, const std::stop_token& stop
) {
  const Key key{world.relay.name_space, world.relay.name};
  const auto marks = marks_due(world, plan.cordons);
  if (marks.empty()) return {};
  if (auto confirmed = witness.confirm(stop); !confirmed) return confirmed;
  Answer<void> all;
  for (const auto& mark : marks) {
    const auto pod = kube::key_of(mark.pod);
    const auto marked = client_.merge_patch(kube::kPods, pod, marking(mark), stop);
    if (!marked && is_gone(marked.error())) continue;
    if (!marked) {
      // What may pass by itself is what the reconcile is repeated for.
      if (all || is_lasting(all.error())) all = tl::unexpected(marked.error());
      if (is_about_all_pods(client_, key.name_space, marked.error(), stop)) break;
      continue;
    }
    log_.write(log::info(mark.why.empty() ? "uncordon" : "cordon")
                 .with("resource", key.to_text())
                 .with("pod", pod.name)
                 .with("node", mark.node)
                 .with("reason", mark.why));
  }
  return all;
}

Answer<Outcome> PodAnnotator::stamp(
  const World& world, const Plan& plan, Witness& witness, const std::stop_token& stop
) {
  const Key key{world.relay.name_space, world.relay.name};
  const auto left = [&] {
    const std::lock_guard lock(mutex_);
    return settling_.time_left(key, plan.reload, clock_.steady());
  }();
  const auto uid = world.daemon_set ? kube::text_at(*world.daemon_set, "/metadata/uid") : "";
  const auto pods = pods_to_stamp(world.pods, {uid, plan.settings_key, plan.reload});
  if (pods.empty()) return Outcome{};
  if (left > relay::milliseconds{0}) return Outcome{left};
  if (const auto confirmed = witness.confirm(stop); !confirmed) return tl::unexpected(confirmed.error());
  Answer<Outcome> all;
  for (const auto& pod : pods) {
    const auto stamped = stamp_pod(pod, key, plan.reload, stop);
    if (stamped) continue;
    if (all || is_lasting(all.error())) all = tl::unexpected(stamped.error());
    if (is_about_all_pods(client_, key.name_space, stamped.error(), stop)) break;
  }
  return all;
}

Answer<void> PodAnnotator::stamp_pod(
  const Json& pod, const Key& relay, const std::string& stamp, const std::stop_token& stop
) {
  const auto stamped = client_.merge_patch(kube::kPods, kube::key_of(pod), stamping(pod, stamp), stop);
  if (stamped) {
    log_.write(log::info("reload")
                 .with("resource", relay.to_text())
                 .with("pod", kube::key_of(pod).name)
                 .with("stamp", stamp));
    return {};
  }
  if (is_gone(stamped.error())) return {};
  return tl::unexpected(stamped.error());
}

void PodAnnotator::forget(const Key& relay) {
  const std::lock_guard lock(mutex_);
  settling_.forget(relay);
}

}  // namespace op::smtp_relay
