#include "operator/relay/checks.hpp"

#include <algorithm>
#include <tuple>

#include "operator/kube/resource.hpp"
#include "operator/relay/effective.hpp"
#include "operator/resources/relay_settings.hpp"
#include "operator/resources/service.hpp"
#include "operator/resources/service_account.hpp"
#include "relay/base/text.hpp"
#include "relay/config/reference.hpp"

namespace op::smtp_relay {
namespace {

using relay::config::Loaded;
using resources::Content;
using Kind = api::KeyReference::Kind;
namespace condition = api::condition;

const char* kind_word(const Reference& reference) {
  return reference.kind == Kind::secret ? "Secret" : "ConfigMap";
}

// Each check looks at one thing, finds any number of faults, and trusts nothing that another looks at.

Findings references_are_readable(const World& world, const Loaded&) {
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

Findings references_exist(const World& world, const Loaded&) {
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

std::string listed(const std::set<std::string>& keys) {
  std::string text;
  for (const auto& key : keys) text += (text.empty() ? "" : ", ") + key;
  return text.empty() ? "none" : text;
}

/// One finding a key: several fields may name the same.
Findings keys_exist(const World& world, const Loaded&) {
  Findings findings;
  std::set<std::pair<Reference, std::string>> seen;
  for (const auto& mounted : keys_of(world.relay)) {
    const auto reference = reference_to(world.relay, mounted.key);
    const auto& state = known(world, reference);
    const auto& key = mounted.key.key;
    if (!state.exists || state.keys.contains(key) || !seen.emplace(reference, key).second) continue;
    findings.push_back(
      {condition::kSecretsResolved, "False", kind_word(reference) + std::string("KeyMissing"),
       reference.to_text() + " has no key '" + key + "'; its keys: " + listed(state.keys)}
    );
  }
  return findings;
}

/// What a value that is not what its field needs is told.
struct Demand {
  Content content;
  const char* reason;
  const char* complaint;
};
constexpr Demand kDemands[] = {
  {Content::certificates, "InvalidCertificate", "is not a list of certificates in PEM"},
  {Content::key_of_certificate, "InvalidKey",
   "is not the private key of the certificate under 'tls.crt', in PEM and without a passphrase"},
  {Content::signing_key, "InvalidKey",
   "is not a private key that signs mail: PEM without a passphrase, RSA of 1024 to 4096 bits or Ed25519"},
  {Content::redaction_key, "InvalidKey", "is too short for a key: at least 16 octets are needed"},
  {Content::users, "InvalidUsers",
   "is not a list of users, one or more, each a line as `relayctl user NAME` writes it; with a line that is "
   "wrong relays go on with the users that they have, and with no user in it nobody logs in"},
};

Findings contents_are_what_their_fields_need(const World& world, const Loaded&) {
  Findings findings;
  for (const auto& mounted : keys_of(world.relay)) {
    const auto reference = reference_to(world.relay, mounted.key);
    const auto& state = known(world, reference);
    if (!state.keys.contains(mounted.key.key)) continue;
    const auto contents = state.contents.find(mounted.key.key);
    for (const auto& demand : kDemands) {
      if (demand.content != mounted.content) continue;
      if (contents != state.contents.end() && contents->second.contains(demand.content)) continue;
      findings.push_back(
        {condition::kSecretsResolved, "False", demand.reason,
         mounted.field + ": key '" + mounted.key.key + "' of " + reference.to_text() + " " + demand.complaint}
      );
    }
  }
  return findings;
}

Findings trust_anchors_are_there(const World& world, const Loaded&) {
  const auto reference = trust_anchors_of(world.relay);
  if (!reference) return {};
  const auto& state = known(world, *reference);
  if (!state.exists || !state.keys.empty()) return {};
  return {
    {condition::kSecretsResolved, "False", "ConfigMapKeyMissing",
     reference->to_text() + " has no key; each should hold a file of trust anchors"}
  };
}

/// Of a list of objects the relay first repeats all of it; what is wrong stands behind: `[0].host: 'x' is not ...`.
std::string in_terms_of_objects(std::string_view field, std::string_view what) {
  constexpr std::string_view kBefore = "' is not accepted (";
  constexpr std::string_view kBehind = "); accepted: a JSON array";
  const auto begin = what.find(kBefore);
  const auto end = what.rfind(kBehind);
  if (begin == std::string_view::npos || end == std::string_view::npos)
    return std::string(field) + ": " + std::string(what);
  const auto from = begin + kBefore.size();
  return std::string(field) + std::string(what.substr(from, end - from));
}

/// `relay.json: lame_duck` is our doing; the user wrote `spec.drain.lameDuck`.
std::string in_terms_of_the_resource(const relay::config::Fault& fault) {
  constexpr std::string_view kPrefix = "relay.json: ";
  std::string_view key = fault.where;
  if (key.starts_with("environment: ")) return "ConfigMaps of spec.envFrom: " + fault.to_text();
  if (key.starts_with(kPrefix)) key.remove_prefix(kPrefix.size());
  const auto field = resources::field_of_setting(key);
  if (field.empty()) return fault.to_text();
  const auto* setting = relay::config::find_setting(key);
  const bool is_list = setting != nullptr && setting->shape == relay::config::Shape::objects;
  return is_list ? in_terms_of_objects(field, fault.what) : std::string(field) + ": " + fault.what;
}

Findings settings_are_accepted(const World&, const Loaded& effective) {
  Findings findings;
  for (const auto& fault : effective.faults)
    findings.push_back({condition::kConfigValid, "False", "InvalidSettings", in_terms_of_the_resource(fault)}
    );
  return findings;
}

Findings environment_leaves_the_pod_its_settings(const World& world, const Loaded&) {
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

/// Who keeps an object without an owner, as it says; empty: nobody, or we.
std::string other_manager(const Json& child) {
  static const auto kLabel = Json::json_pointer("/metadata/labels") / "app.kubernetes.io/managed-by";
  auto manager =
    child.contains(kLabel) && child.at(kLabel).is_string() ? child.at(kLabel).get<std::string>() : "";
  return manager == resources::labels({})["app.kubernetes.io/managed-by"] ? "" : manager;
}

Findings names_are_free(const World& world, const Loaded&) {
  Findings findings;
  const std::tuple<std::string_view, const std::optional<Json>*, bool> children[] = {
    {kube::kServiceAccounts.kind, &world.service_account, resources::wants_service_account(world.relay)},
    {kube::kConfigMaps.kind, &world.config_map, true},
    {kube::kDaemonSets.kind, &world.daemon_set, true},
    {kube::kServices.kind, &world.service, resources::wants_service(world.relay.spec)},
  };
  for (const auto& [kind, child, is_wanted] : children) {
    const auto conflict =
      is_wanted ? conflict_of(kind, resources::child_name(world.relay), *child, world.relay) : std::nullopt;
    if (conflict) findings.push_back({condition::kReady, "False", "NameConflict", *conflict});
  }
  return findings;
}

using Check = Findings (*)(const World&, const Loaded&);
constexpr Check kChecks[] = {
  references_are_readable,                  // or we can tell nothing about them
  references_exist,                         // Secrets and ConfigMaps
  keys_exist,                               // in those
  contents_are_what_their_fields_need,      // certificates, keys
  trust_anchors_are_there,                  // or the relay would validate less than was meant
  settings_are_accepted,                    // by the relay's own rules
  environment_leaves_the_pod_its_settings,  // or nothing would find the relay
  names_are_free,                           // never take over what is somebody else's
};

}  // namespace

std::optional<std::string> conflict_of(
  std::string_view kind, const std::string& name, const std::optional<Json>& live, const api::SmtpRelay& relay
) {
  if (!live) return std::nullopt;
  const auto controller = kube::controller_of(*live);
  if (controller.uid == relay.uid) return std::nullopt;
  const auto child = std::string(kind) + " " + name;
  if (!controller.uid.empty())
    return child + " belongs to " + controller.kind + " " + controller.name + " (uid " + controller.uid +
           "); delete it, or give this SmtpRelay another name";
  const auto manager = other_manager(*live);
  if (manager.empty()) return std::nullopt;
  return child + " is managed by " + manager +
         ", as its label app.kubernetes.io/managed-by says; delete it, remove the label to hand it over, "
         "or give this SmtpRelay another name";
}

Findings findings_of(const World& world, const Loaded& effective) {
  Findings findings;
  for (const auto check : kChecks) {
    auto found = check(world, effective);
    std::move(found.begin(), found.end(), std::back_inserter(findings));
  }
  return findings;
}

}  // namespace op::smtp_relay
