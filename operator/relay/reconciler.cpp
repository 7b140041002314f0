#include "operator/relay/reconciler.hpp"

#include <algorithm>

#include "operator/relay/failures.hpp"
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

/// Where no event will tell that something has changed: another's object in our place, a right that was granted.
constexpr relay::seconds kLookAgain{30};
/// Until a pod that could not be told of a cordon is told again.
constexpr relay::milliseconds kTellAgain = relay::seconds{5};
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

/// What was to be done is somebody else's, or for a state that is no more.
bool is_over(const Failure& failure) {
  return failure.kind == Kind::conflict || failure.kind == Kind::cancelled;
}

/// There was nothing to publish to, or it failed.
Answer<Outcome> ended_by(const Answer<std::optional<api::SmtpRelay>>& published) {
  if (!published) return tl::unexpected(published.error());
  return Outcome{};
}

bool needs_another_look(const Plan& plan) {
  // Nor does any tell of a namespace's labels.
  if (plan.pod_security && !lets_relays_run(*plan.pod_security)) return true;
  const bool has_failed = !plan.not_stamped.empty() || !plan.not_held.empty() || !plan.cordons.untold.empty();
  if (has_failed) return true;
  return std::any_of(plan.findings.begin(), plan.findings.end(), [](const Finding& finding) {
    return finding.reason == "NameConflict" || finding.reason == "Forbidden";
  });
}

/// The next look comes within this time, unless it comes sooner anyway or something failed.
void look_within(std::optional<relay::milliseconds> time, Answer<Outcome>& outcome) {
  if (time && outcome) outcome->requeue_after = std::min(outcome->requeue_after.value_or(*time), *time);
}

constexpr const kube::Resource* kChildren[] = {
  &kube::kDaemonSets, &kube::kConfigMaps, &kube::kServices, &kube::kServiceAccounts
};

/// Where the world has what a child is now.
std::optional<Json>& child_of(const kube::Resource& resource, World& world) {
  if (resource.kind == kube::kDaemonSets.kind) return world.daemon_set;
  if (resource.kind == kube::kConfigMaps.kind) return world.config_map;
  if (resource.kind == kube::kServices.kind) return world.service;
  return world.service_account;
}

std::optional<Json>& live_of(const Child& child, World& world) { return child_of(child.resource, world); }

}  // namespace

RelayReconciler::RelayReconciler(Defaults defaults, const Context& context)
    : defaults_(std::move(defaults)),
      caches_(context.caches),
      client_(context.client),
      events_(context.events),
      clock_(context.clock),
      applier_(
        context.client, context.log,
        [this](
          const kube::Resource& resource, const Json& object, std::string_view what, std::string_view why
        ) { tell_of_write(resource, object, what, why); }
      ),
      optional_(context.caches, context.client, applier_, context.clock, context.log, defaults_.relay_image),
      gatherer_(context.caches, context.client, optional_, context.clock),
      annotator_(context.client, context.clock, context.log),
      publisher_(context.client, context.events, context.log),
      drainer_(
        {context.caches, context.client, context.events, context.inspector, context.clock, context.log},
        defaults_.spool_root,
        [this](api::SmtpRelay relay, api::Status next, std::stop_token stop) {
          return publisher_.publish(std::move(relay), std::move(next), std::move(stop));
        }
      ),
      unready_reasons_(context.inspector, context.clock, context.enqueue),
      source_watch_(context.sources, context.clock, context.enqueue),
      failed_creates_(context.client, context.clock) {}

Answer<Outcome> RelayReconciler::reconcile(const Key& key, std::stop_token stop) {
  const auto object = caches_.relays.get(key);
  const bool is_held = object && kube::is_being_deleted(*object) && has_finalizer(*object);
  if (is_held && controller_id_of(*object) == defaults_.controller_id) return drain(*object, std::move(stop));
  if (!object || kube::is_being_deleted(*object)) {
    // Its owner references make the garbage collector take all of it, save the spools on the nodes.
    bid_farewell(key);
    forget(key);
    if (!object) drainer_.forget(key);
    return Outcome{};
  }
  if (controller_id_of(*object) != defaults_.controller_id) {
    // Another operator's, perhaps since a moment ago: its children are that one's to keep.
    forget(key);
    return Outcome{};
  }
  auto parsed = api::parse_smtp_relay(*object);
  if (!parsed) return refuse(*object, parsed.error(), std::move(stop));
  auto relay = publisher_.latest(std::move(*parsed));
  {
    const std::lock_guard lock(mutex_);
    served_[key] = {relay.uid, relay.spec.spool_type, relay.spec.spool_claim};
  }
  const bool is_new = relay.status.conditions.empty();
  if (is_new) {
    auto first = publisher_.publish(relay, first_status(relay, clock_.wall()), stop);
    if (!first || !*first) return ended_by(first);
    relay = std::move(**first);
    events_.record(first_seen(relay));
  }
  const auto not_held = keep_finalizer(*object, relay, stop);
  if (!not_held) return tl::unexpected(not_held.error());

  auto world = gatherer_.gather(std::move(relay), stop);
  if (!world) return tl::unexpected(world.error());
  for (const auto* resource : kChildren) {
    auto& child = child_of(*resource, *world);
    child = applier_.latest(*resource, std::move(child));
  }
  const auto asks_again_in = unready_reasons_.look(*world);
  const auto sources_ask_in = source_watch_.look(*world);
  auto plan = make_plan(*world, defaults_);
  plan.not_held = *not_held;
  Witness witness(client_, world->relay, defaults_.controller_id);
  if (is_new) witness.has_seen_it();
  // First, and whatever else is wrong: a node that goes does not wait. Nor does all else for what becomes of it.
  const auto marked = plan.is_paused ? Answer<void>() : annotator_.mark(*world, plan, witness, stop);
  if (!marked && (is_over(marked.error()) || is_about_the_server(marked.error())))
    return tl::unexpected(marked.error());
  if (!marked) plan.cordons.untold = marked.error().error.context;
  pace_node_list(*world, plan.optional);
  apply_node_list(plan.optional, *world, witness, stop);
  const auto applied = apply(plan, *world, witness, stop);
  const auto refusal = applied ? std::nullopt : finding_of(applied.error());
  if (!applied && !refusal) return tl::unexpected(applied.error());
  if (refusal) plan.findings.push_back(*refusal);
  const bool may_write = plan.findings.empty() && !plan.is_paused;
  auto stamped = may_write ? annotator_.stamp(*world, plan, witness, stop) : Answer<Outcome>(Outcome{});
  if (!stamped && is_lasting(stamped.error())) {
    plan.not_stamped = stamped.error().error.context;
    stamped = Outcome{};
  }

  if (may_write) optional_.apply(plan.optional, *world, witness, stop);
  const auto stalls_in = may_write ? judge_rollout(*world, plan) : std::nullopt;
  auto refused = failed_creates_.of(*world, plan.is_stalled, stop);
  plan.refused_pods = std::move(refused.words);
  const auto losses = losses_of(world->relay, plan);

  const auto published =
    publisher_.publish(world->relay, next_status(world->relay, plan, world->daemon_set, clock_.wall()), stop);
  if (!published || !*published) return ended_by(published);
  for (const auto& loss : losses) events_.record(loss);
  // Only a change of the resource mends what the server finds invalid; the controller does not repeat it.
  if (!applied && applied.error().kind == Kind::invalid) return tl::unexpected(applied.error());
  if (needs_another_look(plan)) look_within(kLookAgain, stamped);
  look_within(plan.optional.look_in, stamped);
  look_within(stalls_in, stamped);
  look_within(refused.look_in, stamped);
  look_within(asks_again_in, stamped);
  look_within(sources_ask_in, stamped);
  if (marked || is_lasting(marked.error()) || !stamped) return stamped;
  // Not behind a back-off: what else is to be looked at again would wait for it.
  auto failure = marked.error();
  failure.retry_after = std::min(stamped->requeue_after.value_or(kTellAgain), kTellAgain);
  return tl::unexpected(std::move(failure));
}

void RelayReconciler::pace_node_list(const World& world, OptionalPlan& plan) {
  const auto list = std::find_if(plan.apply.begin(), plan.apply.end(), [](const auto& entry) {
    return entry.first == resources::Optional::node_list;
  });
  if (list == plan.apply.end()) return;
  const Key key{world.relay.name_space, world.relay.name};
  const std::lock_guard lock(mutex_);
  const auto left = list_pace_.time_left(key, world.nodes->hidden_sources, clock_.steady());
  if (left == relay::milliseconds{0}) return;
  plan.apply.erase(list);
  plan.look_within(left);
}

void RelayReconciler::apply_node_list(
  OptionalPlan& plan, const World& world, Witness& witness, const std::stop_token& stop
) {
  const auto list = std::find_if(plan.apply.begin(), plan.apply.end(), [](const auto& entry) {
    return entry.first == resources::Optional::node_list;
  });
  if (list == plan.apply.end()) return;
  OptionalPlan first;
  first.apply.push_back(std::move(*list));
  plan.apply.erase(list);
  optional_.apply(first, world, witness, stop);
  plan.lost.insert(plan.lost.end(), first.lost.begin(), first.lost.end());
  plan.look_within(first.look_in);
}

std::optional<relay::milliseconds> RelayReconciler::judge_rollout(const World& world, Plan& plan) {
  const Key key{world.relay.name_space, world.relay.name};
  const auto rollout = rollout_of(world.daemon_set);
  const std::lock_guard lock(mutex_);
  if (!rollout.exists || has_rolled_out(rollout, plan.cordons)) {
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
  const auto published = publisher_.publish(std::move(*relay), next, std::move(stop));
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
  drainer_.bid_farewell(relay, "");
}

Answer<Outcome> RelayReconciler::drain(const Json& object, std::stop_token stop) {
  const auto outcome = drainer_.drain(object, std::move(stop));
  if (!outcome) return tl::unexpected(outcome.error());
  if (*outcome) return **outcome;
  forget(kube::key_of(object));  // what becomes of its mail has been told
  return Outcome{};
}

Answer<std::string> RelayReconciler::keep_finalizer(
  const Json& object, api::SmtpRelay& relay, std::stop_token stop
) {
  const auto kept = drainer_.keep_finalizer(object, relay, std::move(stop));
  if (kept) return std::string();
  if (is_lasting(kept.error())) return kept.error().error.context;
  return tl::unexpected(kept.error());
}

void RelayReconciler::forget(const Key& key) {
  caches_.references.use(key, {});
  for (const auto* suffix : {"-smtp-relay", "-smtp-relay-dashboard", "-smtp-relay-nodes"})
    applier_.forget({key.name_space, key.name + suffix});
  annotator_.forget(key);
  optional_.forget(key);
  failed_creates_.forget(key);
  unready_reasons_.forget(key);
  source_watch_.forget(key);
  publisher_.forget(key);
  const std::lock_guard lock(mutex_);
  standstill_.forget(key);
  list_pace_.forget(key);
  served_.erase(key);
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

Answer<void> RelayReconciler::apply(const Plan& plan, World& world, Witness& witness, std::stop_token stop) {
  const bool is_all_so =
    plan.remove.empty() && std::all_of(plan.apply.begin(), plan.apply.end(), [&](const Child& child) {
      return applier_.is_so(child, live_of(child, world));
    });
  if (is_all_so) return {};
  if (auto confirmed = witness.confirm(stop); !confirmed) return confirmed;
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

}  // namespace op::smtp_relay
