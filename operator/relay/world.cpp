#include "operator/relay/world.hpp"

namespace op::smtp_relay {

using Kind = api::KeyReference::Kind;

std::string Reference::to_text() const {
  return (kind == Kind::secret ? "Secret " : "ConfigMap ") + key.to_text();
}

Reference reference_to(const api::SmtpRelay& relay, const api::KeyReference& key) {
  return {key.kind, {relay.name_space, key.name}};
}

std::vector<api::KeyReference> keys_of(const api::SmtpRelay& relay) {
  std::vector<api::KeyReference> keys;
  if (relay.spec.passwd_client) keys.push_back(*relay.spec.passwd_client);
  for (const auto& smarthost : relay.spec.smarthosts) {
    if (smarthost.ca) keys.push_back(*smarthost.ca);
  }
  return keys;
}

std::set<Reference> references_of(const api::SmtpRelay& relay) {
  std::set<Reference> references;
  for (const auto& key : keys_of(relay)) references.insert(reference_to(relay, key));
  for (const auto& name : relay.spec.env_from)
    references.insert({Kind::config_map, {relay.name_space, name}});
  return references;
}

}  // namespace op::smtp_relay
