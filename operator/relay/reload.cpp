#include "operator/relay/reload.hpp"

#include <algorithm>

#include "operator/resources/names.hpp"

namespace op::smtp_relay {

std::vector<Json> pods_to_stamp(
  const std::vector<Json>& pods, const std::string& daemon_set_uid, const std::string& stamp
) {
  std::vector<Json> found;
  for (const auto& pod : pods) {
    const auto annotations = pod.at("metadata").value("annotations", Json::object());
    const bool is_stamped = annotations.value(std::string(resources::kReloadAnnotation), "") == stamp;
    const bool is_ours = kube::controller_of(pod).uid == daemon_set_uid;
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
