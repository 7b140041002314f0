#pragma once
/// A world in which all is well, for tests to spoil.

#include "operator/relay/plan.hpp"

namespace op::smtp_relay {

inline const Defaults kDefaults{"relay:1", "/var/lib/smtp-relay"};

/// An SmtpRelay with credentials, an authority and an environment; all that it names is there, no child exists.
inline World example() {
  using Kind = api::KeyReference::Kind;
  World world;
  world.relay.name = "edge";
  world.relay.name_space = "mail";
  world.relay.uid = "u-1";
  world.relay.generation = 3;
  world.relay.resource_version = "100";
  auto& spec = world.relay.spec;
  spec.allowed_networks = {"10.20.0.0/16"};
  spec.smarthosts = {{"primary", "smtp.test"}};
  spec.smarthosts[0].tls.ca = api::KeyReference{Kind::config_map, "authorities", "ca.crt"};
  spec.passwd_client = api::KeyReference{Kind::secret, "credentials", "passwd.client"};
  spec.env_from = {"extra"};

  Referenced secret;
  secret.exists = true;
  secret.resource_version = "7";
  secret.keys = {"passwd.client"};
  Referenced authorities = secret;
  authorities.keys = {"ca.crt"};
  authorities.contents = {{"ca.crt", {resources::Content::certificates}}};
  Referenced extra = secret;
  extra.keys = {"SMTP_RELAY_MAX_RECIPIENTS"};
  extra.environment = {{"SMTP_RELAY_MAX_RECIPIENTS", "200"}};
  extra.content_hash = "e1";
  world.references = {
    {{Kind::secret, {"mail", "credentials"}}, secret},
    {{Kind::config_map, {"mail", "authorities"}}, authorities},
    {{Kind::config_map, {"mail", "extra"}}, extra},
  };
  return world;
}

inline Referenced& secret_of(World& world) {
  return world.references.at({api::KeyReference::Kind::secret, {"mail", "credentials"}});
}
inline Referenced& authorities_of(World& world) {
  return world.references.at({api::KeyReference::Kind::config_map, {"mail", "authorities"}});
}
inline Referenced& environment_of(World& world) {
  return world.references.at({api::KeyReference::Kind::config_map, {"mail", "extra"}});
}

}  // namespace op::smtp_relay
