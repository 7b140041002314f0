#include "operator/relay/live_object.hpp"

namespace op::smtp_relay {

kube::Answer<std::optional<kube::Json>> live_object(
  const runtime::Store& cache, kube::Client& client, const kube::Resource& resource, const kube::Key& key,
  std::stop_token stop
) {
  if (auto cached = cache.get(key)) return cached;
  auto live = client.get(resource, key, std::move(stop));
  if (live) return std::optional(std::move(*live));
  if (live.error().kind == kube::Kind::not_found) return std::optional<kube::Json>();
  return tl::unexpected(live.error());
}

}  // namespace op::smtp_relay
