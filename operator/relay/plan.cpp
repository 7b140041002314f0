#include "operator/relay/plan.hpp"

#include <algorithm>

#include "operator/relay/rollout.hpp"
#include "operator/resources/config_map.hpp"
#include "operator/resources/daemon_set.hpp"
#include "operator/resources/relay_settings.hpp"
#include "operator/resources/service_account.hpp"
#include "operator/resources/volumes.hpp"
#include "relay/base/text.hpp"
#include "relay/config/load.hpp"

namespace op::smtp_relay {
namespace {

using Kind = api::KeyReference::Kind;
using Findings = std::vector<Finding>;
namespace condition = api::condition;

constexpr std::string_view kSettingsName = "relay.json";
constexpr std::string_view kVariablePrefix = "SMTP_RELAY_";

const char* kind_word(const Reference& reference) {
  return reference.kind == Kind::secret ? "Secret" : "ConfigMap";
}

const Referenced& known(const World& world, const Reference& reference) {
  static const Referenced kNothing;
  const auto found = world.references.find(reference);
  return found == world.references.end() ? kNothing : found->second;
}

// ---- checks: each looks at one thing, finds any number of faults, and trusts nothing that another looks at ----

Findings references_are_readable(const World& world) {
  Findings findings;
  for (const auto& [reference, state] : world.references) {
    if (state.unreadable.empty()) continue;
    findings.push_back(
      {condition::kSecretsResolved, "Unknown", "Forbidden",
       "the operator may not read " + reference.to_text() + ": " + state.unreadable + "; grant get on " +
         (reference.kind == Kind::secret ? "secrets" : "configmaps")}
    );
  }
  return findings;
}

Findings references_exist(const World& world) {
  Findings findings;
  for (const auto& [reference, state] : world.references) {
    if (state.exists || !state.unreadable.empty()) continue;
    findings.push_back(
      {condition::kSecretsResolved, "False", kind_word(reference) + std::string("NotFound"),
       reference.to_text() + " does not exist; create it, or correct the reference"}
    );
  }
  return findings;
}

Findings keys_exist(const World& world) {
  Findings findings;
  for (const auto& key : keys_of(world.relay)) {
    const auto reference = reference_to(world.relay, key);
    const auto& state = known(world, reference);
    if (!state.exists || state.keys.contains(key.key)) continue;
    std::string present;
    for (const auto& name : state.keys) present += (present.empty() ? "" : ", ") + name;
    findings.push_back(
      {condition::kSecretsResolved, "False", kind_word(reference) + std::string("KeyMissing"),
       reference.to_text() + " has no key '" + key.key +
         "'; its keys: " + (present.empty() ? "none" : present)}
    );
  }
  return findings;
}

Findings authorities_are_certificates(const World& world) {
  Findings findings;
  for (const auto& smarthost : world.relay.spec.smarthosts) {
    if (!smarthost.ca) continue;
    const auto reference = reference_to(world.relay, *smarthost.ca);
    const auto& state = known(world, reference);
    if (!state.keys.contains(smarthost.ca->key) || state.certificates.contains(smarthost.ca->key)) continue;
    findings.push_back(
      {condition::kSecretsResolved, "False", "InvalidCertificate",
       "key '" + smarthost.ca->key + "' of " + reference.to_text() +
         " is not a list of certificates in PEM; it should hold the authorities that sign the smarthost's "
         "certificate"}
    );
  }
  return findings;
}

/// What the relay's container will see: envFrom in its order, then what the pod says about itself.
std::map<std::string, std::string> environment_of(const World& world) {
  std::map<std::string, std::string> environment;
  for (const auto& name : world.relay.spec.env_from) {
    const auto& state = known(world, {Kind::config_map, {world.relay.name_space, name}});
    for (const auto& [key, value] : state.environment) environment.insert_or_assign(key, value);
  }
  for (const auto* key : {"NODE_NAME", "POD_NAME", "POD_NAMESPACE", "HOST_ADDRESSES"})
    environment.erase(std::string(kVariablePrefix) + key);
  return environment;
}

/// `relay.json: lame_duck` is our doing; the user wrote `spec.drain.lameDuck`.
std::string in_terms_of_the_resource(const relay::config::Fault& fault) {
  constexpr std::string_view kPrefix = "relay.json: ";
  const auto where = fault.where;
  if (where.starts_with(kPrefix)) {
    const auto field = resources::field_of_setting(std::string_view(where).substr(kPrefix.size()));
    if (!field.empty()) return std::string(field) + ": " + fault.what;
  }
  if (where.starts_with("environment: ")) return "ConfigMaps of spec.envFrom: " + fault.to_text();
  return fault.to_text();
}

/// What the relay will make of its file and its environment.
relay::config::Loaded loaded_settings(const World& world) {
  return relay::config::load(
    {resources::relay_settings(world.relay), std::string(kSettingsName), environment_of(world)}
  );
}

Findings settings_are_accepted(const World& world) {
  Findings findings;
  for (const auto& fault : loaded_settings(world).faults)
    findings.push_back({condition::kConfigValid, "False", "InvalidSettings", in_terms_of_the_resource(fault)}
    );
  return findings;
}

Findings environment_leaves_the_pod_its_settings(const World& world) {
  Findings findings;
  for (const auto& [name, value] : environment_of(world)) {
    const auto key = relay::lower(std::string_view(name).substr(kVariablePrefix.size()));
    if (!resources::is_fixed_by_the_pod(key)) continue;
    findings.push_back(
      {condition::kConfigValid, "False", "InvalidSettings",
       "ConfigMaps of spec.envFrom: " + name +
         ": ports, probes and mounts of the pod rely on this setting; remove the variable"}
    );
  }
  return findings;
}

Findings names_are_free(const World& world) {
  Findings findings;
  const std::pair<std::string_view, const std::optional<Json>*> children[] = {
    {kube::kServiceAccounts.kind, &world.service_account},
    {kube::kConfigMaps.kind, &world.config_map},
    {kube::kDaemonSets.kind, &world.daemon_set},
  };
  for (const auto& [kind, child] : children) {
    if (!*child) continue;
    const auto controller = kube::controller_of(**child);
    if (controller.uid.empty() || controller.uid == world.relay.uid) continue;
    const auto name = resources::child_name(world.relay);
    findings.push_back(
      {condition::kReady, "False", "NameConflict",
       std::string(kind) + " " + name + " belongs to " + controller.kind + " " + controller.name + " (uid " +
         controller.uid + "); delete it, or give this SmtpRelay another name"}
    );
  }
  return findings;
}

using Check = Findings (*)(const World&);
constexpr Check kChecks[] = {
  references_are_readable,                  // or we can tell nothing about them
  references_exist,                         // Secrets and ConfigMaps
  keys_exist,                               // in those
  authorities_are_certificates,             // or the relay would trust nobody
  settings_are_accepted,                    // by the relay's own rules
  environment_leaves_the_pod_its_settings,  // or nothing would find the relay
  names_are_free,                           // never take over what is somebody else's
};

// ---- what follows ----

std::string environment_hash(const World& world) {
  std::string all;
  for (const auto& name : world.relay.spec.env_from)
    all += name + "=" + known(world, {Kind::config_map, {world.relay.name_space, name}}).content_hash + "\n";
  return all.empty() ? "" : resources::short_hash(all);
}

std::string reload_stamp(const World& world, const std::string& settings) {
  std::string all = settings;
  for (const auto& key : keys_of(world.relay)) {
    const auto reference = reference_to(world.relay, key);
    all += reference.to_text() + "=" + known(world, reference).resource_version + "\n";
  }
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
  const World& world, const Plan& plan, const Defaults& defaults, const std::string& settings, Json former
) {
  const auto effective = loaded_settings(world).settings;
  const resources::Blueprint blueprint{
    world.relay,
    plan.image,
    defaults.spool_root,
    environment_hash(world),
    effective.lame_duck + effective.session_drain_timeout,
  };
  Child account{kube::kServiceAccounts, resources::service_account(world.relay), {}};
  Child config_map{
    kube::kConfigMaps,
    resources::config_map(world.relay, settings, std::move(former)),
    {"data", "binaryData"},
  };
  Child daemon_set{kube::kDaemonSets, resources::daemon_set(blueprint), {"spec"}};
  // Where running pods read these very settings, a DaemonSet that the server refuses must not leave them changed.
  // Everywhere else pods must find what they read.
  const bool are_read_already = rollout_of(world.daemon_set).settings_key == plan.settings_key;
  if (are_read_already) return {std::move(account), std::move(daemon_set), std::move(config_map)};
  return {std::move(account), std::move(config_map), std::move(daemon_set)};
}

}  // namespace

Plan make_plan(const World& world, const Defaults& defaults) {
  Plan plan;
  for (const auto check : kChecks) {
    auto found = check(world);
    std::move(found.begin(), found.end(), std::back_inserter(plan.findings));
  }
  const auto settings = resources::relay_settings(world.relay);
  plan.image = world.relay.spec.image.empty() ? defaults.relay_image : world.relay.spec.image;
  plan.config_hash = resources::short_hash(settings);
  plan.reload = reload_stamp(world, settings);
  plan.settings_key = resources::settings_key(world.relay.spec);
  plan.secrets = observed_secrets(world);
  auto former = former_settings(world, plan.settings_key);
  plan.keeps_former_settings = !former.empty();
  if (plan.findings.empty()) plan.apply = children(world, plan, defaults, settings, std::move(former));
  return plan;
}

}  // namespace op::smtp_relay
