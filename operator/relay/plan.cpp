#include "operator/relay/plan.hpp"

#include "operator/relay/effective.hpp"
#include "operator/relay/flush_time.hpp"
#include "operator/relay/node_list.hpp"
#include "operator/relay/optional_children.hpp"
#include "operator/relay/rollout.hpp"
#include "operator/resources/config_map.hpp"
#include "operator/resources/daemon_set.hpp"
#include "operator/resources/pod_template.hpp"
#include "operator/resources/relay_settings.hpp"
#include "operator/resources/service.hpp"
#include "operator/resources/service_account.hpp"
#include "operator/resources/volumes.hpp"

namespace op::smtp_relay {
namespace {

using Kind = api::KeyReference::Kind;

/// Of what a relay reads at its start alone: its environment, and files of trust anchors.
std::string environment_hash(const World& world) {
  std::string all;
  for (const auto& name : world.relay.spec.env_from)
    all += name + "=" + known(world, {Kind::config_map, {world.relay.name_space, name}}).content_hash + "\n";
  if (const auto anchors = trust_anchors_of(world.relay))
    all += "trust anchors=" + known(world, *anchors).content_hash + "\n";
  return all.empty() ? "" : resources::short_hash(all);
}

std::string reload_stamp(const World& world, const std::string& settings) {
  std::string all = settings;
  std::set<Reference> references;
  for (const auto& mounted : keys_of(world.relay)) references.insert(reference_to(world.relay, mounted.key));
  for (const auto& reference : references)
    all += reference.to_text() + "=" + known(world, reference).resource_version + "\n";
  return resources::short_hash(all);
}

std::vector<api::ObservedSecret> observed_secrets(const World& world) {
  std::vector<api::ObservedSecret> observed;
  for (const auto& [reference, state] : world.references) {
    if (reference.kind == Kind::secret && state.exists)
      observed.push_back({reference.key.name, state.resource_version});
  }
  return observed;
}

/// The settings of pods with other credentials or authorities, as they are, until a rollout has replaced those pods: new
/// settings may name a smarthost for which they have no password.
Json former_settings(const World& world, const std::string& key) {
  auto former = Json::object();
  const auto rollout = rollout_of(world.daemon_set);
  const bool is_nobodys = rollout.settings_key == key && rollout.has_replaced_all();
  if (!world.config_map || is_nobodys) return former;
  const auto data = world.config_map->value("data", Json::object());
  for (const auto& [name, settings] : data.items()) {
    if (name != key && resources::is_settings_key(name)) former[name] = settings;
  }
  return former;
}

std::vector<Child> children(
  const World& world, const Plan& plan, const Defaults& defaults, const std::string& settings,
  const relay::config::Settings& effective, Json former
) {
  const resources::Blueprint blueprint{
    world.relay,
    plan.image,
    defaults.spool_root,
    environment_hash(world),
    effective.lame_duck + effective.session_drain_timeout,
    anchors_in(world),
    // The environment wins, as over all that the resource says.
    environment_of(world).contains("SMTP_RELAY_HOSTNAME") ? "" : resources::host_name(world.relay.spec),
    plan.ports->exclusions,
    flush_time(world, effective, plan.image),
    reads_node_list(world, plan.image),
  };
  Child account{kube::kServiceAccounts, resources::service_account(world.relay), {}};
  Child config_map{
    kube::kConfigMaps,
    resources::config_map(world.relay, plan.settings_key, settings, std::move(former)),
    {"data", "binaryData"},
  };
  Child daemon_set{kube::kDaemonSets, resources::daemon_set(blueprint), {"spec"}};
  std::vector<Child> all;
  if (resources::wants_service_account(world.relay)) all.push_back(std::move(account));
  // Where running pods read these very settings, a DaemonSet that the server refuses must not leave them changed.
  // Everywhere else pods must find what they read.
  const bool are_read_already = rollout_of(world.daemon_set).settings_key == plan.settings_key;
  if (!are_read_already) all.push_back(config_map);
  all.push_back(std::move(daemon_set));
  if (are_read_already) all.push_back(std::move(config_map));
  if (resources::wants_service(world.relay.spec))
    all.push_back(
      {kube::kServices,
       resources::service(world.relay),
       {"spec"},
       {resources::kAssignedToServices.begin(), resources::kAssignedToServices.end()}}
    );
  return all;
}

/// A relay that drains says no more than that it is not ready.
std::vector<Trouble> explained(std::vector<Trouble> troubles, const Cordons& cordons) {
  for (auto& trouble : troubles) {
    const auto cordon = cordons.nodes.find(trouble.node);
    if (cordon == cordons.nodes.end() || trouble.reason != kNotReady) continue;
    trouble.reason = kCordoned;
    trouble.message = "its node is: " + cordon->second;
  }
  return troubles;
}

/// What we made for a former spec. What others made is theirs.
std::vector<Removal> removals(const World& world) {
  std::vector<Removal> all;
  const auto remove = [&](const kube::Resource& resource, const std::optional<Json>& live) {
    if (live && is_removable(*live, world.relay)) all.push_back({resource, *live});
  };
  if (!resources::wants_service(world.relay.spec)) remove(kube::kServices, world.service);
  if (!resources::wants_service_account(world.relay)) remove(kube::kServiceAccounts, world.service_account);
  return all;
}

}  // namespace

bool is_removable(const Json& live, const api::SmtpRelay& relay) {
  return kube::controller_of(live).uid == relay.uid && !kube::is_being_deleted(live);
}

Plan make_plan(const World& world, const Defaults& defaults) {
  Plan plan;
  const auto effective = effective_settings(world);
  plan.findings = findings_of(world, effective);
  const auto settings = resources::relay_settings(world.relay, anchors_in(world));
  plan.image = wanted_image(world.relay, defaults.relay_image);
  plan.config_hash = resources::short_hash(settings);
  plan.reload = reload_stamp(world, settings);
  plan.settings_key = resources::settings_key(world.relay.spec, anchors_in(world));
  plan.secrets = observed_secrets(world);
  plan.cordons = cordons_of(world);
  plan.sources = source_sight_of(world);
  if (world.daemon_set)
    plan.troubles =
      explained(troubles_of(world.pods, kube::text_at(*world.daemon_set, "/metadata/uid")), plan.cordons);
  plan.pod_security = world.pod_security;
  plan.ports = ports_of(world);
  if (plan.ports->are_too_many)
    plan.findings.push_back({api::condition::kPortAvailable, "False", std::string(kPortTaken), ""});
  auto former = former_settings(world, plan.settings_key);
  plan.keeps_former_settings = !former.empty();
  plan.is_paused = world.relay.spec.management_state == "Paused";
  if (!plan.findings.empty() || plan.is_paused) return plan;
  plan.apply = children(world, plan, defaults, settings, effective.settings, std::move(former));
  plan.remove = removals(world);
  plan.optional = plan_optional(world, defaults, effective.settings);
  return plan;
}

}  // namespace op::smtp_relay
