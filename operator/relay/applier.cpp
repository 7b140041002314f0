#include "operator/relay/applier.hpp"

#include "operator/relay/drift.hpp"

namespace op::smtp_relay {
namespace {

namespace log = relay::log;

/// Identity and owners are checked as they are; only the exclusive part may be in the server's words.
Child without_exclusive_part(const Child& child) {
  Child rest = child;
  for (const auto& field : child.exclusive) rest.desired.erase(field);
  rest.exclusive.clear();
  return rest;
}

}  // namespace

kube::Answer<Json> Applier::converge(
  const Child& child, const std::optional<Json>& live, std::stop_token stop
) {
  if (is_so(child, live)) return *live;
  auto now = write(child, live, std::move(stop));
  // Of what did not exist nobody could say whether the cache has not seen it yet, or has seen it go.
  if (now && live && kube::resource_version_of(*live) != kube::resource_version_of(*now)) {
    const std::lock_guard lock(mutex_);
    written_[{child.resource.plural, kube::key_of(child.desired)}] = {kube::resource_version_of(*live), *now};
  }
  return now;
}

std::optional<Json> Applier::latest(const kube::Resource& resource, std::optional<Json> cached) {
  if (!cached) return cached;
  const std::lock_guard lock(mutex_);
  const auto written = written_.find({resource.plural, kube::key_of(*cached)});
  if (written == written_.end()) return cached;
  if (written->second.before == kube::resource_version_of(*cached)) return written->second.now;
  written_.erase(written);
  return cached;
}

kube::Answer<Json> Applier::write(const Child& child, const std::optional<Json>& live, std::stop_token stop) {
  auto applied = client_.apply(child.resource, child.desired, stop);
  // What was added to a list may not go with what ours says: two ports of one name. A replacement takes it away.
  const bool is_beside_theirs =
    !applied && applied.error().kind == kube::Kind::invalid && live && !child.exclusive.empty();
  if (is_beside_theirs) return replace_refused(child, *live, std::move(applied.error()), std::move(stop));
  if (!applied) return applied;
  report("applied", child.resource, child.desired, live ? "it differed" : "it did not exist");
  if (child.exclusive.empty() || agrees(child, *applied)) return applied;
  return replace_if_needed(child, *applied, std::move(stop));
}

kube::Answer<Json> Applier::replace_refused(
  const Child& child, const Json& live, kube::Failure refusal, std::stop_token stop
) {
  auto replaced =
    client_.replace(child.resource, replacement(child, live), kube::DryRun::no, std::move(stop));
  // Then it is ours that is wrong.
  if (!replaced && replaced.error().kind == kube::Kind::invalid) return tl::unexpected(std::move(refusal));
  if (replaced) report("replaced", child.resource, child.desired, "it held what ours can't stand beside");
  return replaced;
}

kube::Answer<Json> Applier::replace_if_needed(const Child& child, const Json& live, std::stop_token stop) {
  const auto body = replacement(child, live);
  const auto tried = client_.replace(child.resource, body, kube::DryRun::yes, stop);
  if (!tried) return tried;
  if (exclusive_part(child, *tried) == exclusive_part(child, live)) {
    remember(child, live);
    return live;
  }
  auto replaced = client_.replace(child.resource, body, kube::DryRun::no, std::move(stop));
  if (!replaced) return replaced;
  report("replaced", child.resource, child.desired, "it held what is not ours");
  remember(child, *replaced);
  return replaced;
}

kube::Answer<void> Applier::remove(const Removal& removal, std::stop_token stop) {
  const auto removed = client_.remove(removal.resource, removal.live, std::move(stop));
  if (removed) report("removed", removal.resource, removal.live, "the resource does not want it");
  if (!removed && removed.error().kind != kube::Kind::not_found) return tl::unexpected(removed.error());
  return {};
}

bool Applier::is_so(const Child& child, const std::optional<Json>& live) const {
  return live && (agrees(child, *live) || is_settled(child, *live));
}

bool Applier::is_settled(const Child& child, const Json& live) const {
  const std::lock_guard lock(mutex_);
  const auto found = settled_.find({child.resource.plural, kube::key_of(child.desired)});
  return found != settled_.end() && found->second.desired == child.desired &&
         found->second.stored == exclusive_part(child, live) && agrees(without_exclusive_part(child), live);
}

void Applier::remember(const Child& child, const Json& live) {
  const std::lock_guard lock(mutex_);
  settled_[{child.resource.plural, kube::key_of(child.desired)}] = {
    child.desired, exclusive_part(child, live)
  };
}

void Applier::forget(const Key& child) {
  const std::lock_guard lock(mutex_);
  std::erase_if(settled_, [&](const auto& entry) { return entry.first.second == child; });
  std::erase_if(written_, [&](const auto& entry) { return entry.first.second == child; });
}

void Applier::report(
  std::string_view event, const kube::Resource& resource, const Json& object, std::string_view why
) {
  log_.write(log::info(event)
               .with("kind", resource.kind)
               .with("resource", kube::key_of(object).to_text())
               .with("why", why));
  on_write_(resource, object, event, why);
}

}  // namespace op::smtp_relay
