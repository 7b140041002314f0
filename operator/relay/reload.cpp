#include "operator/relay/reload.hpp"

#include <algorithm>

#include "operator/resources/names.hpp"

namespace op::smtp_relay {

std::vector<Json> pods_to_stamp(const std::vector<Json>& pods, const Stamp& stamp) {
  std::vector<Json> found;
  for (const auto& pod : pods) {
    const auto annotations = pod.at("metadata").value("annotations", Json::object());
    const auto says = [&](std::string_view name) { return annotations.value(std::string(name), ""); };
    const bool is_stamped = says(resources::kReloadAnnotation) == stamp.text;
    const bool is_ours = kube::controller_of(pod).uid == stamp.daemon_set_uid &&
                         says(resources::kSettingsAnnotation) == stamp.settings_key;
    if (is_ours && !is_stamped && !kube::is_being_deleted(pod)) found.push_back(pod);
  }
  return found;
}

Json stamping(const Json& pod, const std::string& stamp) {
  return {
    {"metadata",
     {{"uid", kube::text_at(pod, "/metadata/uid")},
      {"annotations", {{std::string(resources::kReloadAnnotation), stamp}}}}},
  };
}

runtime::milliseconds Settling::time_left(
  const Key& relay, const std::string& stamp, runtime::SteadyTime now
) {
  auto& since = since_[relay];
  if (since.stamp != stamp) since = {stamp, now};
  const auto left = std::chrono::ceil<runtime::milliseconds>(since.at + kSettleTime - now);
  return std::max(left, runtime::milliseconds{0});
}

}  // namespace op::smtp_relay
