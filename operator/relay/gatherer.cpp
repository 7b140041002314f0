#include "operator/relay/gatherer.hpp"

#include <tuple>

#include "operator/relay/live_object.hpp"
#include "operator/relay/port_available.hpp"
#include "operator/resources/names.hpp"

namespace op::smtp_relay {

using kube::Answer;

Answer<World> Gatherer::gather(api::SmtpRelay relay, std::stop_token stop) {
  World world;
  world.relay = std::move(relay);
  const Key key{world.relay.name_space, world.relay.name};
  world.nodes = caches_.nodes.now();
  if (const auto known = gather_references(world, stop); !known) return tl::unexpected(known.error());
  if (const auto seen = gather_children(world, stop); !seen) return tl::unexpected(seen.error());
  if (const auto seen = optional_.gather(world, stop); !seen) return tl::unexpected(seen.error());
  world.pods = caches_.pods.in_group(key.name_space, key.name);
  world.ports = caches_.ports.verdict(key, *world.nodes, live_exclusions(world));
  auto security = levels_.of(key.name_space, std::move(stop));
  if (!security) return tl::unexpected(security.error());
  world.pod_security = std::move(*security);
  return world;
}

Answer<void> Gatherer::gather_references(World& world, const std::stop_token& stop) {
  const auto references = references_of(world.relay);
  caches_.references.use({world.relay.name_space, world.relay.name}, references);
  for (const auto& reference : references) {
    auto known = caches_.references.read(reference, stop);
    if (!known) return tl::unexpected(known.error());
    world.references.emplace(reference, std::move(*known));
  }
  return {};
}

Answer<void> Gatherer::gather_children(World& world, const std::stop_token& stop) {
  const Key child{world.relay.name_space, resources::child_name(world.relay)};
  const std::tuple<const runtime::Store*, const kube::Resource*, std::optional<Json>*> children[] = {
    {&caches_.service_accounts, &kube::kServiceAccounts, &world.service_account},
    {&caches_.config_maps, &kube::kConfigMaps, &world.config_map},
    {&caches_.daemon_sets, &kube::kDaemonSets, &world.daemon_set},
    {&caches_.services, &kube::kServices, &world.service},
  };
  for (const auto& [cache, resource, found] : children) {
    auto seen = live_object(*cache, client_, *resource, child, stop);
    if (!seen) return tl::unexpected(seen.error());
    *found = std::move(*seen);
  }
  return {};
}

}  // namespace op::smtp_relay
