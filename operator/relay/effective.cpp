#include "operator/relay/effective.hpp"

#include "operator/resources/relay_settings.hpp"

namespace op::smtp_relay {

using Kind = api::KeyReference::Kind;

const Referenced& known(const World& world, const Reference& reference) {
  static const Referenced kNothing;
  const auto found = world.references.find(reference);
  return found == world.references.end() ? kNothing : found->second;
}

resources::TrustAnchors anchors_in(const World& world) {
  const auto reference = trust_anchors_of(world.relay);
  return reference ? known(world, *reference).keys : resources::TrustAnchors{};
}

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

relay::config::Loaded effective_settings(const World& world) {
  return relay::config::load(
    {resources::relay_settings(world.relay, anchors_in(world)), std::string(kSettingsName),
     environment_of(world)}
  );
}

}  // namespace op::smtp_relay
