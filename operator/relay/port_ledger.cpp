#include "operator/relay/port_ledger.hpp"

#include <algorithm>

#include "operator/relay/owners.hpp"
#include "operator/relay/trouble.hpp"
#include "operator/resources/pod_template.hpp"

namespace op::smtp_relay {
namespace {

using kube::Json;
using kube::text_at;
using runtime::Change;

/// As much of a pod as says where it may run and which ports it takes.
Stake stake_of(const api::Spec& spec) {
  Json pod{{"containers", Json::array({{{"ports", resources::container_ports(spec)}}})}};
  resources::place(spec, {}, pod);
  return parse_stake(pod);
}

/// Its own status says so, of the present spec.
bool is_blocked(const api::SmtpRelay& relay) {
  const auto* progressing = relay.status.find(api::condition::kProgressing);
  return progressing != nullptr && progressing->reason == "Blocked" &&
         progressing->observed_generation == relay.generation;
}

Claim::Held held_by(const Json& daemon_set) {
  static const Json::json_pointer kPod("/spec/template/spec");
  return {
    kube::controller_of(daemon_set).uid, text_at(daemon_set, "/metadata/uid"),
    parse_stake(daemon_set.value(kPod, Json::object()))
  };
}

bool is_nothing(const Claimant& claimant) {
  return claimant.uid.empty() && !claimant.held && claimant.pods.empty();
}

}  // namespace

void PortLedger::relay_changed(const Change& change) {
  const auto* object = change.after;
  update(kube::key_of(change.any()), [&](Claim& claimant) {
    claimant.uid = object != nullptr ? text_at(*object, "/metadata/uid") : "";
    claimant.wanted.reset();
    if (object == nullptr) return;
    claimant.created = text_at(*object, "/metadata/creationTimestamp");
    claimant.controller_id = controller_id_of(*object);
    const auto relay = api::parse_smtp_relay(*object);
    // One that is on its way out keeps what it has until it is gone.
    if (!relay || kube::is_being_deleted(*object)) return;
    claimant.wanted = stake_of(relay->spec);
    claimant.is_idle = relay->spec.management_state == "Paused" || is_blocked(*relay);
  });
}

void PortLedger::daemon_set_changed(const Change& change) {
  update(owner_of(change.any()), [&](Claim& claimant) {
    claimant.held.reset();
    if (change.after != nullptr) claimant.held = held_by(*change.after);
  });
}

void PortLedger::pod_changed(const Change& change) {
  const auto node_of = [](const Json* pod) { return pod == nullptr ? std::string() : bound_to(*pod); };
  const auto was = node_of(change.before);
  const auto is = node_of(change.after);
  if (!was.empty() && was != is) note(*change.before, was, "");
  if (!is.empty()) note(*change.after, is, kube::controller_of(*change.after).uid);
}

/// Of the thousands of pods of a relay one has changed, on one node.
/// @param daemon_set  uid of its owner; empty: it is there no more
void PortLedger::note(const Json& pod, const std::string& on, const std::string& daemon_set) {
  const auto nodes = nodes_.now();
  const auto* node = nodes->find(on);
  const auto relay = owner_of(pod);
  std::set<Key> others;
  {
    const std::lock_guard lock(mutex_);
    auto& claimant = claimants_[relay];
    const bool had_one = claimant.has_pod(on);
    auto& there = claimant.pods[on];
    if (daemon_set.empty()) there.erase(kube::key_of(pod).name);
    else there[kube::key_of(pod).name] = daemon_set;
    if (there.empty()) claimant.pods.erase(on);
    if (node != nullptr && claimant.has_pod(on) != had_one)
      others = rivals(index_.sharing(claimant), {node}, relay, claimant);
    settle(relay);
  }
  for (const auto& other : others) enqueue_(other);
}

void PortLedger::update(const Key& relay, const std::function<void(Claim&)>& change) {
  const auto nodes = nodes_.now();
  std::vector<const Node*> all;
  for (const auto& [name, node] : nodes->by_name) all.push_back(node.get());
  std::set<Key> others;
  {
    const std::lock_guard lock(mutex_);
    auto& entry = *claimants_.try_emplace(relay).first;
    Claim& claim = entry.second;
    const Claim before = claim;
    index_.remove(entry);
    change(claim);
    index_.add(entry);
    if (claim != before) {
      others = rivals_of(relay, before, all);
      others.merge(rivals_of(relay, claim, all));
    }
    settle(relay);
  }
  for (const auto& other : others) enqueue_(other);
}

/// Most relays of a large estate are on few nodes: who is on none meets nobody, however many want its port elsewhere.
std::set<Key> PortLedger::rivals_of(
  const Key& relay, const Claim& claim, const std::vector<const Node*>& nodes
) const {
  const bool is_anywhere =
    std::any_of(nodes.begin(), nodes.end(), [&](const Node* node) { return selects(claim, *node); });
  return is_anywhere ? rivals(index_.sharing(claim), nodes, relay, claim) : std::set<Key>();
}

/// Nothing is kept of one that is nothing any more.
void PortLedger::settle(const Key& relay) {
  const auto found = claimants_.find(relay);
  if (!is_nothing(found->second)) return;
  index_.remove(*found);
  claimants_.erase(found);
}

PortVerdict PortLedger::verdict(const Key& relay, const Nodes& nodes, const resources::Exclusions& live)
  const {
  const std::lock_guard lock(mutex_);
  const auto found = claimants_.find(relay);
  if (found == claimants_.end()) return {};
  const bool is_anywhere = std::any_of(nodes.by_name.begin(), nodes.by_name.end(), [&](const auto& node) {
    return selects(found->second, *node.second);
  });
  return judge(is_anywhere ? index_.around(found->second) : Contenders{&*found}, nodes, relay, live);
}

}  // namespace op::smtp_relay
