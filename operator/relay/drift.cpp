#include "operator/relay/drift.hpp"

#include <algorithm>

#include "operator/resources/names.hpp"

namespace op::smtp_relay {
namespace {

const Json::json_pointer kTemplateMetadata("/spec/template/metadata");
const Json::json_pointer kTemplateAnnotations("/spec/template/metadata/annotations");

const std::string kRestarted{resources::kRestartedAnnotation};

Json value_at(const Json& object, const Json::json_pointer& pointer) {
  return object.contains(pointer) ? object.at(pointer) : Json();
}

/// Takes away what the API server or `kubectl rollout restart` puts into a pod template.
void remove_marks(Json& object) {
  if (!object.contains(kTemplateMetadata)) return;
  auto& metadata = object.at(kTemplateMetadata);
  if (metadata.contains("creationTimestamp") && metadata["creationTimestamp"].is_null())
    metadata.erase("creationTimestamp");
  if (object.contains(kTemplateAnnotations)) {
    object.at(kTemplateAnnotations).erase(kRestarted);
    if (object.at(kTemplateAnnotations).empty()) metadata.erase("annotations");
  }
}

/// Without the copy that Json::value() makes: this is most of what a reconcile does that finds nothing to do.
const Json& member(const Json& object, const std::string& key) {
  static const Json kNone;
  const auto found = object.find(key);
  return found == object.end() ? kNone : *found;
}

bool holds_all(const Json& live, const Json& wanted) {
  if (!live.is_object()) return wanted.empty();
  return std::all_of(wanted.items().begin(), wanted.items().end(), [&](const auto& entry) {
    return live.contains(entry.key()) && live[entry.key()] == entry.value();
  });
}

bool holds_owners(const Json& live, const Json& wanted) {
  return std::all_of(wanted.begin(), wanted.end(), [&](const Json& owner) {
    return live.is_array() && std::find(live.begin(), live.end(), owner) != live.end();
  });
}

bool metadata_agrees(const Json& wanted, const Json& live) {
  for (const auto* part : {"labels", "annotations"}) {
    if (wanted.contains(part) && !holds_all(member(live, part), wanted[part])) return false;
  }
  return holds_owners(member(live, "ownerReferences"), member(wanted, "ownerReferences"));
}

bool is_identity(const std::string& field) {
  return field == "apiVersion" || field == "kind" || field == "metadata";
}

/// Owners by uid: ours as we want it, all others as they are.
Json merged_owners(const Json& live, const Json& wanted) {
  Json merged = wanted;
  for (const auto& owner : live.is_array() ? live : Json::array()) {
    const bool is_ours = std::any_of(wanted.begin(), wanted.end(), [&](const Json& our) {
      return kube::text_at(our, "/uid") == kube::text_at(owner, "/uid");
    });
    if (!is_ours) merged.push_back(owner);
  }
  return merged;
}

}  // namespace

Json digested(const Json& value) {
  if (value.is_string()) return value;
  return resources::short_hash(value.dump(-1, ' ', false, Json::error_handler_t::replace));
}

Json exclusive_part(const Child& child, const Json& live) {
  Json part = Json::object();
  for (const auto& field : child.exclusive) {
    if (live.contains(field)) part[field] = live[field];
  }
  remove_marks(part);
  if (child.is_digested) {
    for (auto& value : part) value = digested(value);
  }
  for (const auto& field : child.assigned) {
    if (part.contains("spec")) part["spec"].erase(field);
  }
  return part;
}

bool agrees(const Child& child, const Json& live) {
  if (!metadata_agrees(child.desired.at("metadata"), member(live, "metadata"))) return false;
  for (const auto& [field, value] : child.desired.items()) {
    const bool is_exclusive =
      std::find(child.exclusive.begin(), child.exclusive.end(), field) != child.exclusive.end();
    if (is_identity(field) || is_exclusive) continue;
    if (member(live, field) != value) return false;
  }
  return exclusive_part(child, live) == exclusive_part(child, child.desired);
}

Json replacement(const Child& child, const Json& live) {
  Json next = live;
  next["metadata"].erase("managedFields");
  next.erase("status");
  for (const auto& field : child.exclusive) next.erase(field);
  for (const auto& [field, value] : child.desired.items()) {
    if (field != "metadata") next[field] = value;
  }
  for (const auto& field : child.assigned) {
    const auto assigned = value_at(live, Json::json_pointer("/spec") / field);
    if (!assigned.is_null()) next["spec"][field] = assigned;
  }
  const auto& wanted = child.desired.at("metadata");
  for (const auto* part : {"labels", "annotations"}) {
    if (wanted.contains(part)) next["metadata"][part].update(wanted[part]);
  }
  auto& owners = next["metadata"]["ownerReferences"];
  owners = merged_owners(owners, wanted.value("ownerReferences", Json::array()));
  const auto restarted = value_at(live, kTemplateAnnotations / kRestarted);
  if (!restarted.is_null()) next[kTemplateAnnotations][kRestarted] = restarted;
  return next;
}

}  // namespace op::smtp_relay
