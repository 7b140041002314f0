#include "operator/kube/object.hpp"

namespace op::kube {
namespace {

const Json* find(const Json& object, const std::string& pointer) {
  const Json::json_pointer path(pointer);
  return object.contains(path) ? &object.at(path) : nullptr;
}

}  // namespace

std::string text_at(const Json& object, const std::string& pointer) {
  const auto* value = find(object, pointer);
  return value != nullptr && value->is_string() ? value->get<std::string>() : std::string();
}

std::int64_t number_at(const Json& object, const std::string& pointer) {
  const auto* value = find(object, pointer);
  return value != nullptr && value->is_number_integer() ? value->get<std::int64_t>() : 0;
}

Key key_of(const Json& object) {
  return {text_at(object, "/metadata/namespace"), text_at(object, "/metadata/name")};
}

bool is_named(const Json& object) { return !text_at(object, "/metadata/name").empty(); }

std::string resource_version_of(const Json& object) { return text_at(object, "/metadata/resourceVersion"); }

bool is_being_deleted(const Json& object) { return !text_at(object, "/metadata/deletionTimestamp").empty(); }

Controller controller_of(const Json& object) {
  const auto* owners = find(object, "/metadata/ownerReferences");
  if (owners == nullptr || !owners->is_array()) return {};
  for (const auto& owner : *owners) {
    if (!owner.is_object() || !owner.contains("controller") || owner["controller"] != true) continue;
    return {text_at(owner, "/kind"), text_at(owner, "/name"), text_at(owner, "/uid")};
  }
  return {};
}

}  // namespace op::kube
