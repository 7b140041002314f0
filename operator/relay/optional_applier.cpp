#include "operator/relay/optional_applier.hpp"

#include <algorithm>

#include "operator/relay/live_object.hpp"
#include "operator/relay/optional_children.hpp"

namespace op::smtp_relay {

using kube::Failure;
using kube::Kind;
using resources::Optional;
using resources::Wish;
namespace {

namespace log = relay::log;

/// Behind a question that was not answered.
constexpr relay::seconds kAskAgain{30};
constexpr relay::seconds kAfterConflict{1};

void hold(OptionalState& state, const OptionalRetries::Held& held) {
  state.failure = held.why;
  state.look_in = held.look_in;
  if (held.is_forbidden) state.presence = Presence::forbidden;
}

}  // namespace

kube::Answer<void> OptionalApplier::gather(World& world, const std::stop_token& stop) {
  const auto& relay = world.relay;
  for (const auto child : resources::kOptionals) {
    auto& state = world.optional[child];
    const auto wish = wish_of(child, world, wanted_image(relay, default_image_));
    if (wish == Wish::yes) caches_.optional.want(child);
    state.presence = caches_.optional.presence_of(child);
    state.failure = caches_.optional.refusal_of(child, relay.name_space);
    if (state.presence == Presence::absent) retries_.settled(relay, child);
    else if (!state.failure.empty()) state.presence = Presence::forbidden;
    else hold_back(state, relay, child, wish, stop);
    const auto* store = caches_.optional.store_of(child);
    if (store == nullptr) store = &caches_.config_maps;
    const Key name{relay.name_space, resources::name_of(child, relay)};
    state.live = store->get(name);
    state.is_watched = state.live.has_value();
    if (state.is_watched || wish == Wish::no || state.presence != Presence::served || !state.failure.empty())
      continue;
    auto seen = live_object(*store, client_, resource_of(child), name, stop);
    if (seen) state.live = std::move(*seen);
    else if (seen.error().kind == Kind::cancelled) return tl::unexpected(seen.error());
    else hold(state, failed(relay, child, seen.error(), stop));
  }
  return {};
}

OptionalRetries::Held OptionalApplier::failed(
  const api::SmtpRelay& relay, Optional child, const Failure& failure, const std::stop_token& stop
) {
  const auto missing =
    failure.kind == Kind::forbidden ? missing_right(relay.name_space, child, stop) : std::string();
  // Admission says no to one object, with the same code.
  if (missing.empty())
    return retries_.failed(relay, child, failure.error.context, failure.kind == Kind::invalid);
  forbid(relay.name_space, child, missing);
  return {missing, kLongestOptionalDelay, true};
}

void OptionalApplier::forbid(const std::string& name_space, Optional child, const std::string& missing) {
  if (!retries_.forbidden(name_space, child, missing)) return;
  log_.write(log::warning("kind_forbidden")
               .with("resource", resource_of(child).plural)
               .with("namespace", name_space)
               .with("error", missing));
}

/// What may not be made may be removed all the same.
void OptionalApplier::hold_back(
  OptionalState& state, const api::SmtpRelay& relay, Optional child, Wish wish, const std::stop_token& stop
) {
  if (wish != Wish::no) ask_anew(relay.name_space, child, stop);
  const auto held = retries_.held(relay, child);
  if (held && !(held->is_forbidden && wish == Wish::no)) hold(state, *held);
}

/// Once forbidden, a kind is asked about before it is asked for: refusals are counted, and an alert looks at them.
void OptionalApplier::ask_anew(const std::string& name_space, Optional child, const std::stop_token& stop) {
  if (!retries_.is_doubtful(name_space, child)) return;
  const auto missing = missing_right(name_space, child, stop);
  if (missing.empty()) retries_.permitted(name_space, child);
  else forbid(name_space, child, missing);
}

/// Of those without which there is none at all.
std::string OptionalApplier::missing_right(
  const std::string& name_space, Optional child, const std::stop_token& stop
) {
  const auto& resource = resource_of(child);
  for (const auto* verb : {"get", "create", "patch"}) {
    const auto answer = client_.may_we(
      {name_space, verb, std::string(resource.group), std::string(resource.plural), "", ""}, stop
    );
    if (!answer) return {};
    if (!*answer) return "no right to " + std::string(verb) + " " + std::string(resource.plural);
  }
  return {};
}

void OptionalApplier::apply(
  OptionalPlan& plan, const World& world, Witness& witness, const std::stop_token& stop
) {
  for (const auto& [child, why] : plan.conflicts) {
    // An event tells when the one that is in the way goes; of what has not our labels none does.
    const bool is_watched = world.optional.at(child).is_watched;
    plan.look_within(is_watched ? kAskAgain : retries_.failed(world.relay, child, why).look_in);
  }
  const bool is_all_so =
    plan.remove.empty() && std::all_of(plan.apply.begin(), plan.apply.end(), [&](const auto& entry) {
      return applier_.is_so(entry.second, world.optional.at(entry.first).live);
    });
  if (is_all_so) {
    for (const auto& [child, wanted] : plan.apply) retries_.settled(world.relay, child);
    return;
  }
  const auto confirmed = witness.confirm(stop);
  if (confirmed) return carry_out(plan, world, stop);
  // Where all else is as it should be nobody asked before, and nothing would come back to it.
  if (confirmed.error().kind != Kind::cancelled) plan.look_within(kAskAgain);
}

void OptionalApplier::carry_out(OptionalPlan& plan, const World& world, const std::stop_token& stop) {
  const auto conclude = [&](Optional child, const std::optional<Failure>& failure) {
    if (!failure) return retries_.settled(world.relay, child);
    if (failure->kind == Kind::cancelled) return;
    // Somebody else wrote: what became of it is on its way to us.
    if (failure->kind == Kind::conflict) return plan.look_within(kAfterConflict);
    const auto held = failed(world.relay, child, *failure, stop);
    plan.look_within(held.look_in);
    if (!held.is_forbidden) plan.lost.push_back(complaint(child, held.why));
    else if (resources::wish_for(child, world.relay.spec) == Wish::yes)
      plan.lost.push_back(forbidden_complaint(child, held.why));
  };
  for (const auto& [child, wanted] : plan.apply) {
    const auto now = applier_.converge(wanted, world.optional.at(child).live, stop);
    conclude(child, now ? std::nullopt : std::optional(now.error()));
  }
  for (const auto& [child, removal] : plan.remove) {
    const auto removed = applier_.remove(removal, stop);
    if (removed || removed.error().kind != Kind::forbidden) {
      conclude(child, removed ? std::nullopt : std::optional(removed.error()));
      continue;
    }
    // One that stays in force is told, and says nothing of what others may make.
    const auto& why = removed.error().error.context;
    plan.look_within(retries_.failed(world.relay, child, why).look_in);
    plan.lost.push_back(forbidden_complaint(child, why));
  }
}

}  // namespace op::smtp_relay
