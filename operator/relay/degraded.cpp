#include "operator/relay/degraded.hpp"

#include <algorithm>

#include "operator/resources/names.hpp"

namespace op::smtp_relay {
namespace {

namespace condition = api::condition;

/// What is the reason while some nodes take no mail, and until all do again.
constexpr std::string_view kPodsNotAvailable = "PodsNotAvailable";
constexpr std::string_view kFailedCreate = "FailedCreate";
constexpr std::string_view kOptionalChildMissing = "OptionalChildMissing";

/// Gathers faults, the gravest first.
class Faults {
 public:
  void add(std::string_view reason, std::string_view condition, std::string_view message) {
    if (!all_) all_ = Degradation{std::string(reason), ""};
    if (!all_->message.empty()) all_->message += "; ";
    all_->message += std::string(condition) + ": " + std::string(message);
  }
  void add(const api::Condition& said) { add(said.reason, said.type, said.message); }
  [[nodiscard]] std::optional<Degradation> all() && { return std::move(all_); }

 private:
  std::optional<Degradation> all_;
};

bool says(const api::Condition* condition, std::string_view status, std::string_view reason) {
  return condition != nullptr && condition->status == status && condition->reason == reason;
}

/// Of Ready only what nothing else says: that nodes do not take mail may be a rollout.
bool is_fault_of_ready(const api::Condition& ready) {
  constexpr std::string_view kReasons[] = {"NameConflict", "Forbidden", "NoNodes"};
  return ready.status == "False" &&
         std::find(std::begin(kReasons), std::end(kReasons), ready.reason) != std::end(kReasons);
}

/// Conditions that are True where all is well. What is Unknown is no fault, but for a Secret that may not be read: nothing
/// is applied then.
bool is_fault(const api::Condition& said) {
  if (said.type == condition::kReady) return is_fault_of_ready(said);
  // The others are what somebody wanted.
  if (said.type == condition::kCordonAware) return says(&said, "False", "NotTold");
  if (said.type == condition::kSecretsResolved && says(&said, "Unknown", "Forbidden")) return true;
  const bool has_other_sense = said.type == condition::kProgressing || said.type == condition::kDegraded ||
                               said.type == condition::kPaused || said.type == condition::kMailLeaves;
  return !has_other_sense && said.status == "False";
}

/// All nodes took mail by the present template, and by itself one does not any more.
bool has_lost_nodes(const api::SmtpRelay& relay, const Rollout& rollout) {
  const auto& before = relay.status;
  const bool was_complete = says(before.find(condition::kProgressing), "False", "RolloutComplete") &&
                            before.desired_nodes >= rollout.desired;
  return was_complete && rollout.has_replaced_all();
}

bool are_pods_in_trouble(const api::SmtpRelay& relay, const Plan& plan, const Rollout& rollout) {
  // Who cordoned a node wants its relay out of the way.
  const auto cordoned = std::count_if(plan.troubles.begin(), plan.troubles.end(), [](const Trouble& trouble) {
    return trouble.reason == kCordoned;
  });
  if (rollout.available + cordoned >= rollout.desired || !rollout.is_observed) return false;
  const bool is_lasting = std::any_of(plan.troubles.begin(), plan.troubles.end(), [](const Trouble& trouble) {
    return !may_pass(trouble);
  });
  return is_lasting || has_lost_nodes(relay, rollout) ||
         says(relay.status.find(condition::kDegraded), "True", kPodsNotAvailable);
}

std::string of_pods(const api::SmtpRelay& relay, const Plan& plan, const Rollout& rollout) {
  auto text = of_nodes(rollout.available, rollout.desired) + " take mail";
  if (!plan.troubles.empty()) text += "; " + to_text(plan.troubles);
  return text + "; see kubectl -n " + relay.name_space + " describe pods -l " +
         std::string(resources::kInstanceLabel) + "=" + relay.name;
}

}  // namespace

std::optional<Degradation> degradation_of(
  const api::SmtpRelay& relay, const api::Status& next, const Plan& plan, const Rollout& rollout
) {
  Faults faults;
  for (const auto& said : next.conditions) {
    if (is_fault(said)) faults.add(said);
  }
  if (!plan.refused_pods.empty())
    faults.add(kFailedCreate, "DaemonSet", "the API server refuses pods: " + plan.refused_pods);
  const auto* progressing = next.find(condition::kProgressing);
  if (says(progressing, "False", kStalled)) faults.add(*progressing);
  if (are_pods_in_trouble(relay, plan, rollout))
    faults.add(kPodsNotAvailable, "Ready", of_pods(relay, plan, rollout));
  for (const auto& lost : plan.optional.lost) faults.add(kOptionalChildMissing, "Progressing", lost);
  return std::move(faults).all();
}

}  // namespace op::smtp_relay
