#include "operator/api/outgoing.hpp"

#include "operator/api/fields.hpp"

namespace op::api {
namespace {

/// Authorities: a key of either kind, {configMap or secret, key}.
std::optional<KeyReference> parse_ca(const Fields& parent) {
  if (!parent.has("caRef")) return std::nullopt;
  const auto from = parent.inner("caRef");
  KeyReference ca{KeyReference::Kind::secret, "", "ca.crt"};
  if (from.has("configMap")) ca.kind = KeyReference::Kind::config_map;
  from.read(from.has("configMap") ? "configMap" : "secret", ca.name);
  from.read("key", ca.key);
  return ca;
}

SmarthostTls parse_tls(const Fields& from) {
  SmarthostTls tls;
  from.read("mode", tls.mode);
  from.read("minVersion", tls.min_version);
  from.read("serverName", tls.server_name);
  tls.ca = parse_ca(from);
  from.inner("clientCertificateSecretRef").read("name", tls.client_certificate);
  return tls;
}

Token parse_token(const Fields& from) {
  Token token;
  from.read("url", token.url);
  from.read("scope", token.scope);
  from.read("clientIdKey", token.client_id_key);
  from.read("clientSecretKey", token.client_secret_key);
  from.read("refreshTokenKey", token.refresh_token_key);
  return token;
}

Auth parse_auth(const Fields& from) {
  Auth auth;
  from.read("mechanism", auth.mechanism);
  const auto reference = from.inner("secretRef");
  reference.read("name", auth.secret);
  reference.read("usernameKey", auth.username_key);
  reference.read("passwordKey", auth.password_key);
  if (from.has("token")) auth.token = parse_token(from.inner("token"));
  return auth;
}

SmarthostLimits parse_limits(const Fields& from) {
  SmarthostLimits limits;
  from.read("maxConnections", limits.max_connections);
  from.read("messagesPerConnection", limits.messages_per_connection);
  from.read("connectTimeout", limits.connect_timeout);
  from.read("messageRate", limits.message_rate);
  return limits;
}

Destination parse_destination(const Fields& from) {
  Destination destination;
  from.read("domains", destination.domains);
  from.read("providers", destination.providers);
  from.read("maxConnections", destination.max_connections);
  from.read("messageRate", destination.message_rate);
  from.read("connectionRate", destination.connection_rate);
  const auto retry = from.inner("retry");
  retry.read("initialDelay", destination.retry_initial_delay);
  retry.read("maxDelay", destination.retry_max_delay);
  retry.read("maxAge", destination.retry_max_age);
  retry.read("warnAfter", destination.retry_warn_after);
  from.read("tls", destination.tls);
  from.read("sourcePool", destination.source_pool);
  return destination;
}

Provider parse_provider(const Fields& from) {
  Provider provider;
  from.read("name", provider.name);
  from.read("mx", provider.mx);
  from.read("maxConnections", provider.max_connections);
  from.read("messageRate", provider.message_rate);
  return provider;
}

Source parse_source(const Fields& from) {
  Source source;
  from.read("name", source.name);
  from.read("pool", source.pool);
  from.read("address", source.address);
  from.read("weight", source.weight);
  from.read("heloName", source.helo_name);
  const auto warm_up = from.inner("warmUp");
  warm_up.read("from", source.warm_up_from);
  warm_up.read("messagesPerDay", source.messages_a_day);
  return source;
}

}  // namespace

std::optional<KeyReference> parse_secret(const Fields& from, const char* field, const char* default_key) {
  if (!from.has(field)) return std::nullopt;
  KeyReference reference{KeyReference::Kind::secret, "", default_key};
  from.inner(field).read("name", reference.name);
  from.inner(field).read("key", reference.key);
  return reference;
}

Smarthost parse_smarthost(const Fields& from) {
  Smarthost smarthost;
  from.read("name", smarthost.name);
  from.read("host", smarthost.host);
  from.read("port", smarthost.port);
  from.read("priority", smarthost.priority);
  from.read("weight", smarthost.weight);
  from.read("recipientDomains", smarthost.recipient_domains);
  from.read("senderDomains", smarthost.sender_domains);
  smarthost.tls = parse_tls(from.inner("tls"));
  if (from.has("auth")) smarthost.auth = parse_auth(from.inner("auth"));
  smarthost.limits = parse_limits(from.inner("limits"));
  return smarthost;
}

Delivery parse_delivery(const Fields& from) {
  Delivery delivery;
  from.read("mxTls", delivery.mx_tls);
  from.read("maxConnectionsPerDomain", delivery.max_connections_per_domain);
  from.read("allowedPrivateNetworks", delivery.allowed_private_networks);
  delivery.ca = parse_ca(from);
  from.inner("trustAnchorsConfigMapRef").read("name", delivery.trust_anchors);
  from.each("destinations", [&](const Fields& item) {
    delivery.destinations.push_back(parse_destination(item));
  });
  from.each("providers", [&](const Fields& item) { delivery.providers.push_back(parse_provider(item)); });
  from.each("sources", [&](const Fields& item) { delivery.sources.push_back(parse_source(item)); });
  from.read("bulkSenders", delivery.bulk_senders);
  from.read("bulkHeaders", delivery.bulk_headers);
  from.read("maxConnections", delivery.max_connections);
  from.read("maxMessages", delivery.max_messages);
  return delivery;
}

Dkim parse_dkim(const Fields& from) {
  Dkim dkim;
  from.read("domain", dkim.domain);
  from.read("selector", dkim.selector);
  if (auto key = parse_secret(from, "secretRef", "private.key")) dkim.key = std::move(*key);
  from.read("senders", dkim.senders);
  from.read("headers", dkim.headers);
  from.read("canonicalization", dkim.canonicalization);
  from.read("expires", dkim.expires);
  return dkim;
}

Bounces parse_bounces(const Fields& from) {
  Bounces bounces;
  from.read("from", bounces.from);
  from.read("maxReturned", bounces.max_returned);
  from.read("ratePerSender", bounces.rate_per_sender);
  from.read("deadLetterMaxAge", bounces.dead_letter_max_age);
  return bounces;
}

}  // namespace op::api
