#include "operator/resources/references.hpp"

namespace op::resources {
namespace {

using Kind = api::KeyReference::Kind;

/// A Secret of the type kubernetes.io/tls; one without a name is none.
void add_certificate(const std::string& secret, const std::string& field, std::vector<Mounted>& keys) {
  if (secret.empty()) return;
  keys.push_back({{Kind::secret, secret, kCertificateKey}, Content::certificates, field});
  keys.push_back({{Kind::secret, secret, kPrivateKeyKey}, Content::key_of_certificate, field});
}

void add_smarthost(const api::Smarthost& smarthost, std::vector<Mounted>& keys) {
  const auto field = "spec.smarthosts[" + smarthost.name + "]";
  const auto& tls = smarthost.tls;
  if (tls.ca) keys.push_back({*tls.ca, Content::certificates, field + ".tls.caRef"});
  add_certificate(tls.client_certificate, field + ".tls.clientCertificateSecretRef", keys);
  if (!smarthost.auth) return;
  const auto& auth = *smarthost.auth;
  const auto add = [&](const std::string& key, const char* where) {
    if (!key.empty()) keys.push_back({{Kind::secret, auth.secret, key}, Content::anything, field + where});
  };
  add(auth.username_key, ".auth.secretRef");
  if (!auth.token) {
    add(auth.password_key, ".auth.secretRef");
    return;
  }
  add(auth.token->client_id_key, ".auth.token.clientIdKey");
  add(auth.token->client_secret_key, ".auth.token.clientSecretKey");
  add(auth.token->refresh_token_key, ".auth.token.refreshTokenKey");
}

}  // namespace

std::vector<Mounted> mounted_keys(const api::Spec& spec) {
  std::vector<Mounted> keys;
  add_certificate(spec.tls_certificate, "spec.tls.secretRef", keys);
  if (spec.auth_users) keys.push_back({*spec.auth_users, Content::users, "spec.auth.secretRef"});
  for (const auto& smarthost : spec.smarthosts) add_smarthost(smarthost, keys);
  if (spec.delivery.ca) keys.push_back({*spec.delivery.ca, Content::certificates, "spec.delivery.caRef"});
  for (const auto& dkim : spec.dkim) {
    const auto field = "spec.dkim[" + dkim.selector + "._domainkey." + dkim.domain + "].secretRef";
    keys.push_back({dkim.key, Content::signing_key, field});
  }
  if (spec.redaction_key)
    keys.push_back({*spec.redaction_key, Content::redaction_key, "spec.logging.keySecretRef"});
  return keys;
}

std::string path_of(const api::KeyReference& key) {
  return std::string(kReferencesFolder) + "/" + folder_of(key.kind, key.name) + "/" + key.key;
}

std::vector<api::KeyReference> anchor_keys(const api::Spec& spec, const TrustAnchors& anchors) {
  std::vector<api::KeyReference> keys;
  if (spec.delivery.trust_anchors.empty()) return keys;
  for (const auto& key : anchors) keys.push_back({Kind::config_map, spec.delivery.trust_anchors, key});
  return keys;
}

}  // namespace op::resources
