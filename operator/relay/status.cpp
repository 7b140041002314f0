#include "operator/relay/status.hpp"

#include <algorithm>

#include "operator/kube/shortened.hpp"
#include "operator/relay/degraded.hpp"
#include "operator/relay/failed_creates.hpp"
#include "operator/relay/pod_security.hpp"
#include "operator/relay/rollout.hpp"
#include "operator/relay/wording.hpp"
#include "operator/resources/names.hpp"

namespace op::smtp_relay {
namespace {

namespace condition = api::condition;

/// status.degradedNodes holds no more.
constexpr std::size_t kMostDegradedNodes = 10;

struct Verdict {
  std::string_view status;
  std::string reason;
  std::string message;
};

/// All findings against one condition as one verdict: the first gives the reason, all give their messages.
std::optional<Verdict> judged(const Plan& plan, std::string_view type) {
  std::optional<Verdict> verdict;
  for (const auto& finding : plan.findings) {
    if (finding.condition != type) continue;
    if (!verdict) verdict = Verdict{finding.status, finding.reason, finding.message};
    else verdict->message += "; " + finding.message;
  }
  return verdict;
}

/// `ConfigValid, SecretsResolved`
std::string blocking(const Plan& plan) {
  std::string names;
  for (const auto type : condition::kAll) {
    if (type != condition::kReady && type != condition::kPaused && judged(plan, type))
      names += (names.empty() ? "" : ", ") + std::string(type);
  }
  return names;
}

/// Behind a count of nodes: what keeps others from taking mail, as far as anybody says.
std::string in_the_way(const Plan& plan) {
  if (!plan.refused_pods.empty()) return "; the API server refuses pods: " + plan.refused_pods;
  return plan.troubles.empty() ? "" : "; " + to_text(plan.troubles);
}

/// `port 25`, or `ports 25, 465`: what the probe says of a pod, it says of all its listeners.
std::string mail_ports(const api::Spec& spec) {
  auto text = (spec.listeners.empty() ? "port " : "ports ") + std::to_string(spec.port);
  for (const auto& listener : spec.listeners) text += ", " + std::to_string(listener.port);
  return text;
}

Verdict ready(const Plan& plan, const Rollout& rollout, const api::Spec& spec) {
  if (const auto found = judged(plan, condition::kReady)) return *found;
  const auto held_by = blocking(plan);
  if (!rollout.exists && plan.is_paused)
    return {"False", "Paused", "nothing runs, and managementState is Paused"};
  if (!rollout.exists)
    return held_by.empty() ? Verdict{"False", "NotCreated", "the DaemonSet does not exist yet"}
                           : Verdict{"False", "Blocked", "nothing runs yet; see " + held_by};
  if (!rollout.is_observed)
    return {"False", "RolloutInProgress", "the DaemonSet controller has not taken up the present state yet"};
  if (rollout.desired == 0 && plan.ports && plan.ports->exclusions.all)
    return {
      "False", std::string(kPortTaken),
      "every node that it selects is left to another SmtpRelay: nothing takes mail; see PortAvailable"
    };
  if (rollout.desired == 0)
    return {
      "False", "NoNodes", "no node matches nodeSelector, nodeAffinity and tolerations: nothing takes mail"
    };
  const auto counts = of_nodes(rollout.available, rollout.desired);
  if (rollout.available < rollout.desired)
    return {"False", "PodsNotAvailable", counts + " take mail on " + mail_ports(spec) + in_the_way(plan)};
  const auto answer = counts + " take mail on " + mail_ports(spec);
  if (!held_by.empty())
    return {"True", "LastGoodConfiguration", answer + ", as last applied; see " + held_by};
  return {"True", "AllNodesAvailable", answer};
}

/// What holds up a rollout, as far as anybody says.
std::string hold_up(const Plan& plan) {
  if (!plan.refused_pods.empty()) return "the API server refuses pods: " + plan.refused_pods;
  if (!plan.troubles.empty()) return to_text(plan.troubles);
  return "no pod says why; kubectl describe daemonset tells what its controller was refused";
}

Verdict stalled(const Plan& plan, const api::SmtpRelay& relay, const Rollout& rollout) {
  const auto state = rollout.is_observed ? of_nodes(rollout.updated, rollout.desired) + " up to date, " +
                                             std::to_string(rollout.available) + " available"
                                         : "the DaemonSet controller has not taken up the present state";
  return {
    "False", std::string(kStalled),
    state + ", and no progress for " + relay.spec.stall_after + "; " + hold_up(plan)
  };
}

Verdict rollout_progress(const Plan& plan, const api::SmtpRelay& relay, const Rollout& rollout) {
  if (plan.is_paused) return {"False", "Paused", "nothing is applied while managementState is Paused"};
  if (!plan.findings.empty())
    return {"False", "Blocked", "nothing is applied until what other conditions say is mended"};
  if (plan.is_stalled) return stalled(plan, relay, rollout);
  if (!rollout.exists || !rollout.is_observed) return {"True", "RolloutInProgress", "the rollout begins"};
  if (has_rolled_out(rollout, plan.cordons))
    return {"False", "RolloutComplete", of_nodes(rollout.updated, rollout.desired) + " up to date"};
  auto message = of_nodes(rollout.updated, rollout.desired) + " up to date, " +
                 std::to_string(rollout.available) + " available";
  if (plan.keeps_former_settings)
    message += "; the others keep the settings that belong to their credentials and authorities";
  return {"True", "RolloutInProgress", std::move(message)};
}

Verdict progressing(const Plan& plan, const api::SmtpRelay& relay, const Rollout& rollout) {
  auto verdict = rollout_progress(plan, relay, rollout);
  if (!plan.not_stamped.empty())
    verdict.message +=
      "; running pods could not be told to read their files again, which takes them a minute or so: " +
      plan.not_stamped;
  if (!plan.not_held.empty())
    verdict.message += "; a deletion will not wait for the mail (spool.onDelete): " + plan.not_held;
  for (const auto& lost : plan.optional.lost) verdict.message += "; " + lost;
  return verdict;
}

Verdict config_valid(const Plan& plan) {
  if (const auto found = judged(plan, condition::kConfigValid)) return *found;
  return {"True", "Accepted", "the relay accepts these settings"};
}

Verdict secrets_resolved(const Plan& plan) {
  if (const auto found = judged(plan, condition::kSecretsResolved)) return *found;
  return {"True", "Resolved", "every Secret and ConfigMap that the resource names is there"};
}

std::vector<api::DegradedNode> degraded_nodes(const std::vector<Trouble>& troubles) {
  std::vector<api::DegradedNode> nodes;
  for (const auto& trouble : troubles) {
    if (!trouble.node.empty() && nodes.size() < kMostDegradedNodes)
      nodes.push_back({trouble.node, trouble.reason});
  }
  return nodes;
}

std::string selector_of(const api::SmtpRelay& relay) {
  const auto labels = resources::selector_labels(relay);
  std::string text;
  for (const auto& [key, value] : labels.items())
    text += (text.empty() ? "" : ",") + key + "=" + value.get<std::string>();
  return text;
}

Verdict paused(const Plan& plan) {
  if (const auto found = judged(plan, condition::kPaused)) return *found;
  if (plan.is_paused)
    return {"True", "Paused", "managementState is Paused: nothing is changed, restored or restarted"};
  return {"False", "Managed", "the operator keeps the relay as the resource says"};
}

/// `node1 (unschedulable), node2 (karpenter.sh/disrupted) and 3 more`
std::string named(const std::map<std::string, std::string>& cordoned) {
  constexpr std::size_t kMost = 10;
  std::vector<std::string> names;
  for (const auto& [node, why] : cordoned) names.push_back(node + " (" + why + ")");
  return listed(names, kMost);
}

Verdict cordon_aware(const Plan& plan) {
  const auto& cordons = plan.cordons;
  if (plan.is_paused) return {"False", "Paused", "nobody is told while managementState is Paused"};
  if (!cordons.untold.empty())
    return {"False", "NotTold", "pods could not be told whether their node is cordoned: " + cordons.untold};
  switch (cordons.sight) {
    case Cordons::Sight::pending: return {"Unknown", "Pending", "nobody has looked at the nodes yet"};
    case Cordons::Sight::forbidden:
      return {
        "Unknown", "Forbidden",
        "the operator may not see nodes, so relays on cordoned ones do not drain: grant list and watch on "
        "nodes "
        "(chart: rbac.nodes), or set drain.cordonAware to false"
      };
    case Cordons::Sight::off: return {"False", "Off", "drain.cordonAware is false: a cordon changes nothing"};
    case Cordons::Sight::clear: break;
  }
  if (cordons.nodes.empty()) return {"True", "NoNodeCordoned", "no node with a relay is cordoned"};
  return {"True", "NodesCordoned", "relays drain on cordoned nodes: " + named(cordons.nodes)};
}

/// What the mode does to mail that is accepted. A mode is somebody's wish, and no fault; but nobody should forget it.
Verdict mail_leaves(const Plan& plan, const api::Spec& spec) {
  if (plan.is_paused || !plan.findings.empty())
    return {
      "Unknown", "NotApplied",
      "mode is " + spec.mode +
        ", but nothing is applied, see Paused and Ready: relays go on in the mode of before"
    };
  if (spec.mode == "Capture")
    return {
      "False", "Captured",
      "mode is Capture: accepted mail is kept on hold and none leaves, until `relayctl queue release --state "
      "captured`"
    };
  if (spec.mode == "Redirect")
    return {"False", "Redirected", "mode is Redirect: all mail goes to " + spec.redirect_to + " instead"};
  if (spec.mode == "Allowlist")
    return {
      "False", "Allowlisted",
      "mode is Allowlist: mail leaves for allowlist.recipients alone, all other is " +
        std::string(spec.others == "Reject" ? "refused" : "kept on hold")
    };
  return {"True", "Delivered", "mode is Deliver: all accepted mail is sent to its recipients"};
}

std::string line_that_admits_pods_to(const std::string& name_space) {
  return "run: kubectl label namespace " + name_space +
         " pod-security.kubernetes.io/enforce=privileged --overwrite";
}

Verdict pod_security_allowed(const Plan& plan, const std::string& name_space) {
  if (!plan.pod_security) return {"Unknown", "Pending", "the resource can't be read; see ConfigValid"};
  const auto& security = *plan.pod_security;
  if (!security.unreadable.empty())
    return {
      "Unknown", "Forbidden",
      "the operator may not read namespace " + name_space + ": " + security.unreadable +
        "; grant get on namespaces"
    };
  if (!lets_relays_run(security))
    return {
      "False", "LevelTooStrict",
      "namespace " + name_space + " enforces Pod Security level '" + security.level +
        "', which refuses host ports and host paths; " + line_that_admits_pods_to(name_space)
    };
  // The cluster's default can be read nowhere, but what it refuses says its name.
  const auto by_default = security.level.empty() ? level_in(plan.refused_pods) : "";
  if (!by_default.empty())
    return {
      "False", "LevelTooStrict",
      "namespace " + name_space +
        " enforces no level of Pod Security of its own, and the cluster's default, '" + by_default +
        "', refuses host ports and host paths; " + line_that_admits_pods_to(name_space)
    };
  if (security.level.empty())
    return {"True", "NoLevel", "namespace " + name_space + " enforces no level of Pod Security of its own"};
  return {"True", "Privileged", "namespace " + name_space + " enforces Pod Security level 'privileged'"};
}

Verdict port_verdict(const Plan& plan, const api::Spec& spec) {
  if (!plan.ports) return {"Unknown", "Pending", "the resource can't be read; see ConfigValid"};
  auto answer = port_available(spec, *plan.ports, plan.troubles);
  return {answer.status, std::move(answer.reason), std::move(answer.message)};
}

Verdict source_verdict(const Plan& plan, const api::Condition* standing) {
  if (!plan.sources) return {"Unknown", "Pending", "the resource can't be read; see ConfigValid"};
  // An operator that has just begun has not heard its relays yet: that is no news of theirs.
  const bool will_hear = plan.sources->is_asked && !plan.sources->has_answer;
  if (will_hear && standing != nullptr && standing->reason != "Pending")
    return {standing->status, standing->reason, standing->message};
  auto answer = source_address_preserved(*plan.sources);
  return {answer.status, std::string(answer.reason), std::move(answer.message)};
}

/// By what the other conditions of `next` say.
Verdict degraded(
  const api::SmtpRelay& relay, const api::Status& next, const Plan& plan, const Rollout& rollout
) {
  auto found = degradation_of(relay, next, plan, rollout);
  if (!found)
    return {"False", "AsExpected", "nothing is known that keeps the relay from working as it should"};
  return {"True", std::move(found->reason), std::move(found->message)};
}

}  // namespace

api::Status first_status(const api::SmtpRelay& relay, relay::WallTime now) {
  api::Status status;
  for (const auto type : condition::kAll)
    status.set(
      {std::string(type), "Unknown", "Pending", "the operator has not looked yet", relay.generation, ""}, now
    );
  return status;
}

api::Status next_status(
  const api::SmtpRelay& relay, const Plan& plan, const std::optional<Json>& daemon_set, relay::WallTime now
) {
  const auto rollout = rollout_of(daemon_set);
  auto status = relay.status;
  const auto set = [&](std::string_view type, Verdict verdict) {
    status.set(
      {std::string(type), std::string(verdict.status), std::move(verdict.reason),
       kube::shortened(std::move(verdict.message), kLongestMessage), relay.generation, ""},
      now
    );
  };
  set(condition::kReady, ready(plan, rollout, relay.spec));
  set(condition::kProgressing, progressing(plan, relay, rollout));
  set(condition::kConfigValid, config_valid(plan));
  set(condition::kSecretsResolved, secrets_resolved(plan));
  set(condition::kPodSecurityAllowed, pod_security_allowed(plan, relay.name_space));
  set(condition::kPortAvailable, port_verdict(plan, relay.spec));
  set(
    condition::kSourceAddressPreserved,
    source_verdict(plan, relay.status.find(condition::kSourceAddressPreserved))
  );
  set(condition::kCordonAware, cordon_aware(plan));
  set(condition::kMailLeaves, mail_leaves(plan, relay.spec));
  set(condition::kPaused, paused(plan));
  set(condition::kDegraded, degraded(relay, status, plan, rollout));
  status.observed_generation = relay.generation;
  status.desired_nodes = rollout.desired;
  status.updated_nodes = rollout.updated;
  status.ready_nodes = rollout.ready;
  status.available_nodes = rollout.available;
  status.misscheduled_nodes = rollout.misscheduled;
  status.degraded_nodes = degraded_nodes(plan.troubles);
  status.selector = selector_of(relay);
  if (plan.findings.empty() && !plan.is_paused) {
    status.image = plan.image;
    status.config_hash = plan.config_hash;
  }
  if (!plan.is_paused) status.observed_secrets = plan.secrets;
  return status;
}

}  // namespace op::smtp_relay
