#include "operator/relay/digest.hpp"

#include "operator/relay/pem.hpp"
#include "operator/resources/names.hpp"
#include "relay/base/text.hpp"
#include "relay/sasl/users.hpp"

namespace op::smtp_relay {
namespace {

using resources::Content;

constexpr std::size_t kFewestRedactionOctets = 16;

Json section(const Json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_object() ? *found : Json::object();
}

/// A value as the relay will read it; nothing when it is not base64 (in a Secret) or no text.
std::optional<std::string> value_of(const Json& data, const std::string& key, bool is_secret) {
  const auto found = data.find(key);
  if (found == data.end() || !found->is_string()) return std::nullopt;
  if (is_secret) return relay::parse_base64(found->get<std::string>());
  return found->get<std::string>();
}

bool holds_users(const std::string& text) {
  const auto users = relay::sasl::Users::parse(text, {});  // no stranger is asked for here
  return users && (*users)->count() > 0;
}

std::set<Content> contents_of(const std::string& text, const std::optional<std::string>& certificate) {
  std::set<Content> contents;
  if (holds_certificates(text)) contents.insert(Content::certificates);
  if (is_signing_key(text)) contents.insert(Content::signing_key);
  if (certificate && is_key_of(*certificate, text)) contents.insert(Content::key_of_certificate);
  if (text.size() >= kFewestRedactionOctets) contents.insert(Content::redaction_key);
  if (holds_users(text)) contents.insert(Content::users);
  return contents;
}

}  // namespace

Referenced digest(api::KeyReference::Kind kind, const Json& object) {
  const bool is_secret = kind == api::KeyReference::Kind::secret;
  Referenced known;
  known.exists = true;
  known.resource_version = kube::resource_version_of(object);
  const auto data = section(object, "data");
  const auto certificate = value_of(data, resources::kCertificateKey, is_secret);
  for (const auto& [key, value] : data.items()) {
    known.keys.insert(key);
    const auto text = value_of(data, key, is_secret);
    if (!text) continue;
    known.contents[key] = contents_of(*text, certificate);
    if (!is_secret && key.starts_with("SMTP_RELAY_")) known.environment[key] = *text;
  }
  if (!is_secret)
    known.content_hash = resources::short_hash(data.dump(-1, ' ', false, Json::error_handler_t::replace));
  return known;
}

}  // namespace op::smtp_relay
