#include "operator/relay/reconciler.hpp"

#include <algorithm>
#include <tuple>

#include "operator/relay/happenings.hpp"
#include "operator/relay/status.hpp"
#include "operator/resources/names.hpp"
#include "relay/base/units.hpp"

namespace op::smtp_relay {
namespace {

using kube::Answer;
using kube::Failure;
using kube::Kind;
using runtime::Outcome;
namespace condition = api::condition;
namespace log = relay::log;

/// Where no event will tell that something has changed: another's object in our place, a right that was granted.
constexpr relay::seconds kLookAgain{30};
/// What the definition has for its default, where a duration can't be read after all.
constexpr relay::milliseconds kStallAfter = std::chrono::minutes{10};

/// What the API server said no to, as something that a person can mend; nothing when it may just be tried again.
std::optional<Finding> finding_of(const Failure& failure) {
  if (failure.kind == Kind::invalid)
    return Finding{condition::kConfigValid, "False", "RefusedByServer", failure.error.context};
  if (failure.kind == Kind::forbidden)
    return Finding{
      condition::kReady, "False", "Forbidden", failure.error.context + "; see the operator's RBAC"
    };
  return std::nullopt;
}

/// The kinds of refusal that only a person can mend.
bool is_lasting(const Failure& failure) {
  return failure.kind == Kind::forbidden || failure.kind == Kind::invalid;
}

/// There was nothing to publish to, or it failed.
Answer<Outcome> ended_by(const Answer<std::optional<api::SmtpRelay>>& published) {
  if (!published) return tl::unexpected(published.error());
  return Outcome{};
}

bool needs_another_look(const Plan& plan) {
  // Nor does any tell of a namespace's labels.
  if (plan.pod_security && !lets_relays_run(*plan.pod_security)) return true;
  if (!plan.not_stamped.empty()) return true;
  return std::any_of(plan.findings.begin(), plan.findings.end(), [](const Finding& finding) {
    return finding.reason == "NameConflict" || finding.reason == "Forbidden";
  });
}

/// Where the world has what a child is now.
std::optional<Json>& live_of(const Child& child, World& world) {
  if (child.resource.kind == kube::kDaemonSets.kind) return world.daemon_set;
  if (child.resource.kind == kube::kConfigMaps.kind) return world.config_map;
  if (child.resource.kind == kube::kServices.kind) return world.service;
  return world.service_account;
}

/// Tells of conditions whose `status` changed.
void log_changes(const api::SmtpRelay& relay, const api::Status& next, log::Sink& sink) {
  for (const auto& condition : next.conditions) {
    const auto* before = relay.status.find(condition.type);
    const bool is_same =
      before != nullptr && before->status == condition.status && before->reason == condition.reason;
    if (is_same || condition.status == "Unknown") continue;
    sink.write(log::info("condition")
                 .with("resource", relay.name_space + "/" + relay.name)
                 .with("type", condition.type)
                 .with("status", condition.status)
                 .with("reason", condition.reason)
                 .with("message", condition.message));
  }
}

}  // namespace

RelayReconciler::RelayReconciler(Defaults defaults, const Context& context)
    : defaults_(std::move(defaults)),
      caches_(context.caches),
      client_(context.client),
      events_(context.events),
      clock_(context.clock),
      log_(context.log),
      applier_(
        context.client, context.log,
        [this](
          const kube::Resource& resource, const Json& object, std::string_view what, std::string_view why
        ) { tell_of_write(resource, object, what, why); }
      ),
      levels_(context.client, context.clock) {}

Answer<Outcome> RelayReconciler::reconcile(const Key& key, std::stop_token stop) {
  const auto object = caches_.relays.get(key);
  if (!object || kube::is_being_deleted(*object)) {
    // Its owner references make the garbage collector take all of it, save the spools on the nodes.
    bid_farewell(key);
    forget(key);
    return Outcome{};
  }
  if (controller_id_of(*object) != defaults_.controller_id) {
    // Another operator's, perhaps since a moment ago: its children are that one's to keep.
    forget(key);
    return Outcome{};
  }
  auto parsed = api::parse_smtp_relay(*object);
  if (!parsed) return refuse(*object, parsed.error(), std::move(stop));
  auto relay = std::move(*parsed);
  {
    const std::lock_guard lock(mutex_);
    served_[key] = {relay.uid, relay.spec.spool_type, relay.spec.spool_claim};
  }
  if (relay.status.conditions.empty()) {
    auto first = publish(relay, first_status(relay, clock_.wall()), stop);
    if (!first || !*first) return ended_by(first);
    relay = std::move(**first);
    events_.record(first_seen(relay));
  }

  auto world = gather(std::move(relay), stop);
  if (!world) return tl::unexpected(world.error());
  auto plan = make_plan(*world, defaults_);
  const auto applied = apply(plan, *world, stop);
  const auto refusal = applied ? std::nullopt : finding_of(applied.error());
  if (!applied && !refusal) return tl::unexpected(applied.error());
  if (refusal) plan.findings.push_back(*refusal);
  const bool may_write = plan.findings.empty() && !plan.is_paused;
  auto stamped = may_write ? stamp_pods(*world, plan, stop) : Answer<Outcome>(Outcome{});
  if (!stamped && is_lasting(stamped.error())) plan.not_stamped = stamped.error().error.context;

  const auto stalls_in = may_write ? judge_rollout(*world, plan) : std::nullopt;

  const auto published =
    publish(world->relay, next_status(world->relay, plan, world->daemon_set, clock_.wall()), stop);
  if (!published || !*published) return ended_by(published);
  // Only a change of the resource mends what the server finds invalid; the controller does not repeat it.
  if (!applied && applied.error().kind == Kind::invalid) return tl::unexpected(applied.error());
  if (needs_another_look(plan)) return Outcome{kLookAgain};
  if (stamped && stalls_in)
    stamped->requeue_after = std::min(stamped->requeue_after.value_or(*stalls_in), *stalls_in);
  return stamped;
}

std::optional<relay::milliseconds> RelayReconciler::judge_rollout(const World& world, Plan& plan) {
  const Key key{world.relay.name_space, world.relay.name};
  const auto rollout = rollout_of(world.daemon_set);
  const std::lock_guard lock(mutex_);
  if (!rollout.exists || rollout.is_complete()) {
    standstill_.forget(key);
    return std::nullopt;
  }
  const auto stall_after = relay::parse_duration(world.relay.spec.stall_after).value_or(kStallAfter);
  const auto left = standstill_.time_left(key, rollout, stall_after, clock_.steady());
  plan.is_stalled = left == relay::milliseconds{0} || is_known_to_be_stalled(world.relay, rollout);
  return plan.is_stalled ? std::nullopt : std::optional(left);
}

/// Nothing can be told of what it wants: the status says which field is wrong, and what runs goes on.
Answer<Outcome> RelayReconciler::refuse(Json object, const relay::Error& why, std::stop_token stop) {
  object.erase("spec");
  auto relay = api::parse_smtp_relay(object);
  if (!relay) return tl::unexpected(Failure{Kind::invalid, why});
  Plan plan;
  plan.findings = {
    {condition::kConfigValid, "False", "InvalidSettings", why.context},
    {condition::kSecretsResolved, "Unknown", "Pending", "the resource can't be read; see ConfigValid"},
    {condition::kPaused, "Unknown", "Pending", "the resource can't be read; see ConfigValid"},
  };
  const auto daemon_set = caches_.daemon_sets.get({relay->name_space, resources::child_name(*relay)});
  const auto next = next_status(*relay, plan, daemon_set, clock_.wall());
  const auto published = publish(std::move(*relay), next, std::move(stop));
  if (!published || !*published) return ended_by(published);
  return tl::unexpected(Failure{Kind::invalid, why});
}

void RelayReconciler::bid_farewell(const Key& key) {
  api::SmtpRelay relay;
  {
    const std::lock_guard lock(mutex_);
    const auto served = served_.find(key);
    if (served == served_.end()) return;
    relay.uid = served->second.uid;
    relay.spec.spool_type = served->second.spool_type;
    relay.spec.spool_claim = served->second.spool_claim;
  }
  relay.name_space = key.name_space;
  relay.name = key.name;
  events_.record(farewell(relay, caches_.pods.in_group(key.name_space, key.name), defaults_.spool_root));
}

void RelayReconciler::forget(const Key& key) {
  caches_.references.use(key, {});
  applier_.forget({key.name_space, key.name + "-smtp-relay"});
  const std::lock_guard lock(mutex_);
  settling_.forget(key);
  standstill_.forget(key);
  served_.erase(key);
}

Answer<World> RelayReconciler::gather(api::SmtpRelay relay, std::stop_token stop) {
  World world;
  world.relay = std::move(relay);
  const Key key{world.relay.name_space, world.relay.name};
  const auto references = references_of(world.relay);
  caches_.references.use(key, references);
  for (const auto& reference : references) {
    auto known = caches_.references.read(reference, stop);
    if (!known) return tl::unexpected(known.error());
    world.references.emplace(reference, std::move(*known));
  }
  const Key child{key.name_space, resources::child_name(world.relay)};
  const std::tuple<const runtime::Store*, const kube::Resource*, std::optional<Json>*> children[] = {
    {&caches_.service_accounts, &kube::kServiceAccounts, &world.service_account},
    {&caches_.config_maps, &kube::kConfigMaps, &world.config_map},
    {&caches_.daemon_sets, &kube::kDaemonSets, &world.daemon_set},
    {&caches_.services, &kube::kServices, &world.service},
  };
  for (const auto& [cache, resource, found] : children) {
    auto seen = look(*cache, *resource, child, stop);
    if (!seen) return tl::unexpected(seen.error());
    *found = std::move(*seen);
  }
  world.pods = caches_.pods.in_group(key.name_space, key.name);
  auto security = levels_.of(key.name_space, std::move(stop));
  if (!security) return tl::unexpected(security.error());
  world.pod_security = std::move(*security);
  return world;
}

/// The cache holds only what has our labels, and lags: before something is made anew, the server is asked whether there
/// is such an object after all.
Answer<std::optional<Json>> RelayReconciler::look(
  const runtime::Store& cache, const kube::Resource& resource, const Key& child, std::stop_token stop
) {
  if (auto cached = cache.get(child)) return cached;
  auto live = client_.get(resource, child, std::move(stop));
  if (live) return std::optional(std::move(*live));
  if (live.error().kind == Kind::not_found) return std::optional<Json>();
  return tl::unexpected(live.error());
}

/// Of a child that is ours: its owner is the SmtpRelay that it was made for.
void RelayReconciler::tell_of_write(
  const kube::Resource& resource, const Json& object, std::string_view what, std::string_view why
) {
  api::SmtpRelay owner;
  const auto controller = kube::controller_of(object);
  owner.name_space = kube::key_of(object).name_space;
  owner.name = controller.name;
  owner.uid = controller.uid;
  events_.record(written(owner, resource, object, what, why));
}

Answer<void> RelayReconciler::apply(const Plan& plan, World& world, std::stop_token stop) {
  for (const auto& child : plan.apply) {
    auto& live = live_of(child, world);
    auto now = applier_.converge(child, live, stop);
    if (!now) return tl::unexpected(now.error());
    live = std::move(*now);
  }
  for (const auto& removal : plan.remove) {
    const auto removed = applier_.remove(removal, stop);
    if (!removed) return removed;
  }
  return {};
}

Answer<Outcome> RelayReconciler::stamp_pods(const World& world, const Plan& plan, std::stop_token stop) {
  const Key key{world.relay.name_space, world.relay.name};
  const auto left = [&] {
    const std::lock_guard lock(mutex_);
    return settling_.time_left(key, plan.reload, clock_.steady());
  }();
  const auto uid = world.daemon_set ? kube::text_at(*world.daemon_set, "/metadata/uid") : "";
  const auto pods = pods_to_stamp(world.pods, {uid, plan.settings_key, plan.reload});
  if (pods.empty()) return Outcome{};
  if (left > relay::milliseconds{0}) return Outcome{left};
  for (const auto& pod : pods) {
    const auto stamped = stamp_pod(pod, key, plan.reload, stop);
    if (!stamped) return tl::unexpected(stamped.error());
  }
  return Outcome{};
}

Answer<void> RelayReconciler::stamp_pod(
  const Json& pod, const Key& relay, const std::string& stamp, std::stop_token stop
) {
  const auto stamped =
    client_.merge_patch(kube::kPods, kube::key_of(pod), stamping(pod, stamp), std::move(stop));
  if (stamped) {
    log_.write(log::info("reload")
                 .with("resource", relay.to_text())
                 .with("pod", kube::key_of(pod).name)
                 .with("stamp", stamp));
    return {};
  }
  // It is gone, or another has its name.
  const auto kind = stamped.error().kind;
  if (kind == Kind::not_found || kind == Kind::conflict) return {};
  return tl::unexpected(stamped.error());
}

Answer<std::optional<api::SmtpRelay>> RelayReconciler::publish(
  api::SmtpRelay relay, api::Status next, std::stop_token stop
) {
  if (relay.status == next) return relay;
  const Json body{
    {"apiVersion", kSmtpRelays.api_version()},
    {"kind", kSmtpRelays.kind},
    // With the version we looked at: a status made from an older state is refused.
    {"metadata",
     {{"namespace", relay.name_space}, {"name", relay.name}, {"resourceVersion", relay.resource_version}}},
    {"status", api::to_json(next)},
  };
  const auto answer = client_.apply_status(kSmtpRelays, body, std::move(stop));
  if (!answer && answer.error().kind == Kind::not_found) return std::nullopt;
  if (!answer) return tl::unexpected(answer.error());
  log_changes(relay, next, log_);
  for (auto& occurrence : news_of(relay, next)) events_.record(std::move(occurrence));
  relay.resource_version = kube::resource_version_of(*answer);
  relay.status = std::move(next);
  return relay;
}

}  // namespace op::smtp_relay
