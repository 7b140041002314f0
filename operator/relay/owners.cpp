#include "operator/relay/owners.hpp"

#include "operator/resources/names.hpp"

namespace op::smtp_relay {

using kube::Json;

std::string metadata_text(const Json& object, const char* part, const std::string& key) {
  const auto entries = object.at("metadata").value(part, Json::object());
  return entries.is_object() ? entries.value(key, "") : std::string();
}

kube::Key owner_of(const Json& object) {
  static const std::string kInstance{resources::kInstanceLabel};
  const auto controller = kube::controller_of(object);
  const bool is_child = controller.kind == api::kKind;
  const auto name = is_child ? controller.name : metadata_text(object, "labels", kInstance);
  return {kube::text_at(object, "/metadata/namespace"), name};
}

std::string controller_id_of(const Json& relay) {
  static const std::string kController{resources::kControllerLabel};
  return metadata_text(relay, "labels", kController);
}

}  // namespace op::smtp_relay
