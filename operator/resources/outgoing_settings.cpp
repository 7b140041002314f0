#include "operator/resources/outgoing_settings.hpp"

#include "relay/base/text.hpp"

namespace op::resources {
namespace {

using Kind = api::KeyReference::Kind;

/// Text that was not given, and lists without an entry, are the relay's defaults.
template <class Value>
void put(OrderedJson& object, const char* key, const Value& value) {
  if (!value.empty()) object[key] = value;
}

template <class Number>
void put(OrderedJson& object, const char* key, const std::optional<Number>& number) {
  if (number) object[key] = *number;
}

void put_file(OrderedJson& object, const char* key, const std::string& secret, const std::string& name) {
  if (!name.empty()) object[key] = path_of({Kind::secret, secret, name});
}

std::string mechanism_word(const std::string& mechanism) {
  return mechanism == "ScramSha256" ? "scram-sha-256" : relay::lower(mechanism);
}

void put_tls(OrderedJson& object, const api::SmarthostTls& tls) {
  object["tls"] = relay::lower(tls.mode);
  object["tls_min_version"] = tls.min_version;
  put(object, "server_name", tls.server_name);
  if (tls.ca) object["ca"] = path_of(*tls.ca);
  if (tls.client_certificate.empty()) return;
  put_file(object, "client_certificate", tls.client_certificate, kCertificateKey);
  put_file(object, "client_key", tls.client_certificate, kPrivateKeyKey);
}

void put_auth(OrderedJson& object, const api::Auth& auth) {
  object["auth"] = mechanism_word(auth.mechanism);
  put_file(object, "username_file", auth.secret, auth.username_key);
  if (!auth.token) {
    put_file(object, "password_file", auth.secret, auth.password_key);
    return;
  }
  put(object, "token_url", auth.token->url);
  put(object, "token_scope", auth.token->scope);
  put_file(object, "client_id_file", auth.secret, auth.token->client_id_key);
  put_file(object, "client_secret_file", auth.secret, auth.token->client_secret_key);
  put_file(object, "refresh_token_file", auth.secret, auth.token->refresh_token_key);
}

OrderedJson one(const api::Smarthost& smarthost) {
  OrderedJson object{
    {"name", smarthost.name},         {"host", smarthost.host},     {"port", smarthost.port},
    {"priority", smarthost.priority}, {"weight", smarthost.weight},
  };
  put(object, "recipient_domains", smarthost.recipient_domains);
  put(object, "sender_domains", smarthost.sender_domains);
  put_tls(object, smarthost.tls);
  if (smarthost.auth) put_auth(object, *smarthost.auth);
  object["max_connections"] = smarthost.limits.max_connections;
  object["messages_per_connection"] = smarthost.limits.messages_per_connection;
  object["connect_timeout"] = smarthost.limits.connect_timeout;
  put(object, "message_rate", smarthost.limits.message_rate);
  return object;
}

OrderedJson one(const api::Dkim& dkim) {
  OrderedJson object{{"domain", dkim.domain}, {"selector", dkim.selector}, {"key", path_of(dkim.key)}};
  put(object, "senders", dkim.senders);
  put(object, "headers", dkim.headers);
  object["canonicalization"] = dkim.canonicalization;
  put(object, "expires", dkim.expires);
  return object;
}

OrderedJson one(const api::Destination& destination) {
  auto object = OrderedJson::object();
  put(object, "domains", destination.domains);
  put(object, "providers", destination.providers);
  put(object, "max_connections", destination.max_connections);
  put(object, "message_rate", destination.message_rate);
  put(object, "connection_rate", destination.connection_rate);
  put(object, "retry_initial_delay", destination.retry_initial_delay);
  put(object, "retry_max_delay", destination.retry_max_delay);
  put(object, "retry_max_age", destination.retry_max_age);
  put(object, "retry_warn_after", destination.retry_warn_after);
  put(object, "tls", relay::lower(destination.tls));
  put(object, "source_pool", destination.source_pool);
  return object;
}

OrderedJson one(const api::Provider& provider) {
  OrderedJson object{
    {"name", provider.name}, {"mx", provider.mx}, {"max_connections", provider.max_connections}
  };
  put(object, "message_rate", provider.message_rate);
  return object;
}

OrderedJson one(const api::Source& source) {
  OrderedJson object{
    {"name", source.name}, {"pool", source.pool}, {"address", source.address}, {"weight", source.weight}
  };
  put(object, "helo_name", source.helo_name);
  put(object, "messages_a_day", source.messages_a_day);
  put(object, "warm_up_from", source.warm_up_from);
  return object;
}

template <class Item>
OrderedJson all(const std::vector<Item>& items) {
  OrderedJson list;
  for (const auto& item : items) list.push_back(one(item));
  return list;
}

}  // namespace

OrderedJson smarthosts(const api::Spec& spec) { return all(spec.smarthosts); }
OrderedJson dkim(const api::Spec& spec) { return all(spec.dkim); }
OrderedJson destinations(const api::Spec& spec) { return all(spec.delivery.destinations); }
OrderedJson providers(const api::Spec& spec) { return all(spec.delivery.providers); }
OrderedJson sources(const api::Spec& spec) { return all(spec.delivery.sources); }

}  // namespace op::resources
