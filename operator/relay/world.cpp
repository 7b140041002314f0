#include "operator/relay/world.hpp"

namespace op::smtp_relay {

using Kind = api::KeyReference::Kind;

std::string Reference::to_text() const {
  return (kind == Kind::secret ? "Secret " : "ConfigMap ") + key.to_text();
}

Reference reference_to(const api::SmtpRelay& relay, const api::KeyReference& key) {
  return {key.kind, {relay.name_space, key.name}};
}

std::vector<resources::Mounted> keys_of(const api::SmtpRelay& relay) {
  auto keys = resources::mounted_keys(relay.spec);
  if (relay.spec.passwd_client)
    keys.push_back({*relay.spec.passwd_client, resources::Content::anything, "spec.passwdClientSecretRef"});
  return keys;
}

std::optional<Reference> trust_anchors_of(const api::SmtpRelay& relay) {
  const auto& name = relay.spec.delivery.trust_anchors;
  if (name.empty()) return std::nullopt;
  return Reference{Kind::config_map, {relay.name_space, name}};
}

std::set<Reference> references_of(const api::SmtpRelay& relay) {
  std::set<Reference> references;
  for (const auto& mounted : keys_of(relay)) references.insert(reference_to(relay, mounted.key));
  if (auto anchors = trust_anchors_of(relay)) references.insert(std::move(*anchors));
  for (const auto& name : relay.spec.env_from)
    references.insert({Kind::config_map, {relay.name_space, name}});
  return references;
}

}  // namespace op::smtp_relay
