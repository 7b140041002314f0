#include "operator/relay/drain.hpp"

#include <algorithm>

#include "operator/kube/shortened.hpp"
#include "operator/relay/owners.hpp"
#include "operator/relay/rollout.hpp"
#include "operator/relay/status.hpp"
#include "operator/relay/wording.hpp"
#include "operator/resources/names.hpp"
#include "relay/base/text.hpp"

namespace op::smtp_relay {
namespace {

namespace condition = api::condition;
using relay::milliseconds;
using relay::WallTime;

/// Where a duration can't be read after all: what the definition has for its default.
constexpr milliseconds kLameDuck = relay::seconds{20};
constexpr milliseconds kFlushTimeout = relay::seconds{60};

/// Pods are asked this often at first, and less often the longer it lasts.
constexpr milliseconds kSoonest = relay::seconds{1};
constexpr milliseconds kLatest = relay::seconds{10};
constexpr int kShare = 10;  // of the time that it has lasted

bool is_set(const std::string& value) {
  return !value.empty() && !relay::equals_ignoring_case(value, "false");
}

Json finalizers_of(const Json& relay) {
  const auto all = relay.at("metadata").value("finalizers", Json::array());
  return all.is_array() ? all : Json::array();
}

milliseconds pause(milliseconds lasted, milliseconds left) {
  return std::min(std::clamp(lasted / kShare, kSoonest, kLatest), std::max(left, milliseconds{1}));
}

/// `12 messages on 2 of 3 nodes remain; 1 node still takes mail; 1 node has not answered (node-3: timed out)`
std::string progress(const SpoolReports& reports) {
  std::uint64_t messages = 0;
  std::size_t full = 0;
  std::size_t open = 0;
  std::size_t unknown = 0;
  std::string why;
  for (const auto& report : reports) {
    if (!report.is_known()) {
      if (unknown++ == 0) why = report.node + ": " + report.unknown;
      continue;
    }
    messages += report.waiting;
    if (report.waiting > 0) ++full;
    if (report.takes_mail) ++open;
  }
  auto text = counted(messages, "message") + " on " + std::to_string(full) + " of " +
              counted(reports.size(), "node") + (messages == 1 ? " remains" : " remain");
  if (open > 0) text += "; " + counted(open, "node") + (open == 1 ? " still takes" : " still take") + " mail";
  if (unknown > 0)
    text +=
      "; " + counted(unknown, "node") + (unknown == 1 ? " has" : " have") + " not answered (" + why + ")";
  return text;
}

}  // namespace

bool has_finalizer(const Json& relay) {
  const auto all = finalizers_of(relay);
  return std::find(all.begin(), all.end(), kFinalizer) != all.end();
}

bool is_forced(const Json& relay) {
  return is_set(metadata_text(relay, "annotations", std::string(kForceAnnotation)));
}

Json finalizer_patch(const Json& relay, const std::string& resource_version, bool is_wanted) {
  auto finalizers = Json::array();
  for (const auto& each : finalizers_of(relay)) {
    if (each != kFinalizer) finalizers.push_back(each);
  }
  if (is_wanted) finalizers.push_back(kFinalizer);
  return {{"metadata", {{"resourceVersion", resource_version}, {"finalizers", finalizers}}}};
}

std::vector<Json> pods_to_retire(const std::vector<Json>& pods) {
  std::vector<Json> found;
  for (const auto& pod : pods) {
    if (!kube::is_being_deleted(pod) &&
        !is_set(metadata_text(pod, "annotations", std::string(resources::kRetireAnnotation))))
      found.push_back(pod);
  }
  return found;
}

Json retiring(const Json& pod) {
  return {
    {"metadata",
     {{"uid", kube::text_at(pod, "/metadata/uid")},
      {"annotations", {{std::string(resources::kRetireAnnotation), "true"}}}}},
  };
}

void DrainBook::note(const SpoolReports& reports) {
  const std::lock_guard lock(mutex_);
  for (const auto& report : reports) {
    auto& last = last_[report.pod_uid];
    // Of a pod that does not answer any more the best that is known is what it said last.
    if (report.is_known() || last.pod_uid.empty() || !last.is_known()) last = report;
  }
}

SpoolReports DrainBook::of(const std::vector<Json>& pods) const {
  const std::lock_guard lock(mutex_);
  auto gone = last_;
  std::set<std::string> nodes;
  SpoolReports reports;
  for (const auto& pod : pods) {
    auto report = report_of(pod, "not asked yet");
    const auto found = last_.find(report.pod_uid);
    reports.push_back(found == last_.end() ? std::move(report) : found->second);
    gone.erase(reports.back().pod_uid);
    nodes.insert(reports.back().node);
  }
  for (const auto& [uid, report] : gone) {
    if (!report.is_drained() && !nodes.contains(report.node)) reports.push_back(report);
  }
  return by_node(reports);
}

std::vector<Json> DrainBook::not_told(std::vector<Json> pods) const {
  const std::lock_guard lock(mutex_);
  std::erase_if(pods, [this](const Json& pod) {
    const auto told = told_.find(kube::text_at(pod, "/metadata/uid"));
    return told != told_.end() && told->second == kube::resource_version_of(pod);
  });
  if (failed_.empty()) return pods;
  std::stable_sort(pods.begin(), pods.end(), [this](const Json& one, const Json& other) {
    return failures_of(one) < failures_of(other);
  });
  return pods;
}

unsigned DrainBook::failures_of(const Json& pod) const {
  const auto failed = failed_.find(kube::text_at(pod, "/metadata/uid"));
  return failed == failed_.end() ? 0 : failed->second;
}

void DrainBook::note_failed(const Json& pod) {
  const std::lock_guard lock(mutex_);
  ++failed_[kube::text_at(pod, "/metadata/uid")];
}

std::size_t DrainBook::untried(std::span<const Json> pods) const {
  const std::lock_guard lock(mutex_);
  return static_cast<std::size_t>(std::count_if(pods.begin(), pods.end(), [this](const Json& pod) {
    return failures_of(pod) == 0;
  }));
}

void DrainBook::note_told(const Json& pod) {
  const std::lock_guard lock(mutex_);
  told_[kube::text_at(pod, "/metadata/uid")] = kube::resource_version_of(pod);
}

bool DrainBook::begin_asking() {
  const std::lock_guard lock(mutex_);
  return !std::exchange(is_asking_, true);
}

void DrainBook::end_asking() {
  const std::lock_guard lock(mutex_);
  is_asking_ = false;
}

WallTime drain_deadline(const api::Spec& spec, WallTime deleted) {
  return deleted + relay::parse_duration(spec.lame_duck).value_or(kLameDuck) +
         relay::parse_duration(spec.flush_timeout).value_or(kFlushTimeout);
}

DrainVerdict judge(const api::Spec& spec, const DrainState& state) {
  using Kind = DrainVerdict::Kind;
  const auto deadline = drain_deadline(spec, state.deleted);
  const auto& reports = state.reports;
  if (reports.empty() && state.desired == 0)
    return {Kind::is_over, "no pod runs that could send its mail", {}};
  const bool are_all_here = static_cast<std::int64_t>(reports.size()) >= state.desired;
  const bool are_drained = std::all_of(reports.begin(), reports.end(), [](const SpoolReport& report) {
    return report.is_drained();
  });
  if (are_all_here && are_drained) return {Kind::is_done, "", {}};
  if (state.now >= deadline)
    return {
      Kind::is_over,
      "the time for it (drain.lameDuck and drain.flushTimeout) was over at " +
        api::to_kubernetes_time(deadline),
      {}
    };
  return {
    Kind::goes_on,
    progress(reports) + "; ends by " + api::to_kubernetes_time(deadline) +
      ", or at once with the annotation " + std::string(kForceAnnotation) + "=true",
    pause(state.now - state.deleted, deadline - state.now)
  };
}

api::Status draining_status(
  const api::SmtpRelay& relay, const std::string& message, const std::optional<Json>& daemon_set, WallTime now
) {
  const auto rollout = rollout_of(daemon_set);
  auto status = relay.status;
  const auto set = [&](std::string_view type, const char* value, const std::string& text) {
    status.set({std::string(type), value, std::string(kDraining), text, relay.generation, ""}, now);
  };
  set(
    condition::kReady, "False", "the resource is being deleted: its relays stop taking mail; see Progressing"
  );
  // It may hold what the API server answered.
  set(condition::kProgressing, "True", kube::shortened(message, kLongestMessage));
  status.observed_generation = relay.generation;
  status.desired_nodes = rollout.desired;
  status.updated_nodes = rollout.updated;
  status.ready_nodes = rollout.ready;
  status.available_nodes = rollout.available;
  status.misscheduled_nodes = rollout.misscheduled;
  return status;
}

}  // namespace op::smtp_relay
