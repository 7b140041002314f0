#include "operator/relay/flush_time.hpp"

#include "operator/resources/pod_template.hpp"
#include "relay/config/load.hpp"

namespace op::smtp_relay {
namespace {

using relay::config::Settings;

/// Made before relays had a flush, and right but for that.
bool is_former(const Json& daemon_set, const Settings& effective, const std::string& image) {
  const auto made = daemon_set.value("/spec/template"_json_pointer, Json::object());
  const auto annotations = made.value("/metadata/annotations"_json_pointer, Json::object());
  const auto pod = made.value("spec", Json::object());
  const auto former = resources::grace_period(effective.lame_duck + effective.session_drain_timeout);
  return !annotations.contains(resources::kFlushAnnotation) && image_of_relay(pod) == image &&
         pod.value("terminationGracePeriodSeconds", std::int64_t{0}) == former;
}

}  // namespace

std::string image_of_relay(const Json& pod) {
  for (const auto& container : pod.value("containers", Json::array())) {
    if (container.value("name", "") == "relay") return container.value("image", "");
  }
  return {};
}

std::optional<std::chrono::milliseconds> flush_time(
  const World& world, const Settings& effective, const std::string& image
) {
  static const auto usual = relay::config::load({}).settings.flush_timeout;
  const bool is_left =
    world.daemon_set && effective.flush_timeout == usual && is_former(*world.daemon_set, effective, image);
  return is_left ? std::nullopt : std::optional(effective.flush_timeout);
}

}  // namespace op::smtp_relay
