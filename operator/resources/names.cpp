#include "operator/resources/names.hpp"

#include <array>
#include <openssl/evp.h>

namespace op::resources {

std::string port_name(const api::Listener& listener) { return "tcp-" + listener.name; }

std::string child_name(const api::SmtpRelay& relay) { return relay.name + "-smtp-relay"; }

Json selector_labels(const api::SmtpRelay& relay) {
  return {{"app.kubernetes.io/name", "smtp-relay"}, {kInstanceLabel, relay.name}};
}

Json labels(const api::SmtpRelay& relay) {
  auto all = selector_labels(relay);
  all["app.kubernetes.io/component"] = "relay";
  all["app.kubernetes.io/part-of"] = "smtp-relay";
  all["app.kubernetes.io/managed-by"] = "smtp-relay-operator";
  return all;
}

Json metadata(const api::SmtpRelay& relay) {
  const Json owner{
    {"apiVersion", std::string(api::kGroup) + "/" + std::string(api::kVersion)},
    {"kind", api::kKind},
    {"name", relay.name},
    {"uid", relay.uid},
    {"controller", true},
    {"blockOwnerDeletion", true},
  };
  return {
    {"name", child_name(relay)},
    {"namespace", relay.name_space},
    {"labels", labels(relay)},
    {"ownerReferences", Json::array({owner})},
  };
}

Json with_labels(Json metadata, const Json& more) {
  auto all = more;
  all.update(metadata["labels"]);
  metadata["labels"] = std::move(all);
  return metadata;
}

std::string folder_of(api::KeyReference::Kind kind, const std::string& name) {
  return (kind == api::KeyReference::Kind::secret ? "secret-" : "configmap-") + name;
}

std::string short_hash(std::string_view text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned length = 0;
  EVP_Digest(text.data(), text.size(), digest.data(), &length, EVP_sha256(), nullptr);
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string out;
  for (std::size_t i = 0; i < 8; ++i) out += {kHex[digest[i] >> 4U], kHex[digest[i] & 15U]};
  return out;
}

}  // namespace op::resources
