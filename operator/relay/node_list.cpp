#include "operator/relay/node_list.hpp"

#include <algorithm>

#include "operator/relay/flush_time.hpp"
#include "operator/relay/nodes.hpp"
#include "operator/resources/node_list.hpp"

namespace op::smtp_relay {
namespace {

Json pod_of(const Json& daemon_set) {
  return daemon_set.value("/spec/template/spec"_json_pointer, Json::object());
}

bool has_volume(const Json& pod) {
  const auto volumes = pod.value("volumes", Json::array());
  return std::any_of(volumes.begin(), volumes.end(), [](const Json& volume) {
    return volume.value("name", "") == resources::kNodeListVolume;
  });
}

}  // namespace

bool has_node_list(const World& world) { return !world.daemon_set || has_volume(pod_of(*world.daemon_set)); }

bool reads_node_list(const World& world, const std::string& image) {
  return has_node_list(world) || image_of_relay(pod_of(*world.daemon_set)) != image;
}

bool wants_node_list(const World& world, const std::string& image) {
  return reads_node_list(world, image) && world.nodes->are_known() && !world.nodes->hidden_sources.empty();
}

runtime::milliseconds ListPace::time_left(
  const Key& relay, const std::string& list, runtime::SteadyTime now
) {
  const auto hash = std::hash<std::string>{}(list);
  const auto [written, is_first] = written_.emplace(relay, Written{hash, now});
  if (is_first || written->second.hash == hash) return runtime::milliseconds{0};
  const auto left = std::chrono::ceil<runtime::milliseconds>(written->second.at + kPause - now);
  if (left > runtime::milliseconds{0}) return left;
  written->second = {hash, now};
  return runtime::milliseconds{0};
}

}  // namespace op::smtp_relay
