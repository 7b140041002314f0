#include "operator/resources/volumes.hpp"

#include <map>

#include "operator/resources/node_list.hpp"
#include "operator/resources/references.hpp"

namespace op::resources {
namespace {

using Kind = api::KeyReference::Kind;

/// Read by the relay's group alone.
constexpr int kMode = 0440;

constexpr std::string_view kSettingsPrefix = "relay-";
constexpr std::string_view kSettingsSuffix = ".json";

Json item(const std::string& key, std::string_view file) {
  return {{"key", key}, {"path", file}, {"mode", kMode}};
}

Json one_file(const std::string& key, std::string_view file) { return Json::array({item(key, file)}); }

/// Not optional: when the Secret vanishes, running pods keep the last file they had, and new ones wait, saying what is
/// missing, instead of running without credentials.
Json secret_file(const char* volume, const api::KeyReference& from, std::string_view file) {
  return {
    {"name", volume},
    {"secret",
     {{"secretName", from.name},
      {"items", one_file(from.key, file)},
      {"defaultMode", kMode},
      {"optional", false}}},
  };
}

Json config_volume(const Blueprint& blueprint) {
  const auto& relay = blueprint.relay;
  return {
    {"name", "config"},
    {"configMap",
     {{"name", child_name(relay)},
      {"items", one_file(settings_key(relay.spec, blueprint.trust_anchors), kConfigFile)},
      {"defaultMode", kMode}}},
  };
}

/// How the operator speaks to a pod: its annotations, as a file.
Json podinfo_volume() {
  const Json annotations{
    {"path", "annotations"}, {"fieldRef", {{"apiVersion", "v1"}, {"fieldPath", "metadata.annotations"}}}
  };
  return {
    {"name", "podinfo"}, {"downwardAPI", {{"defaultMode", kMode}, {"items", Json::array({annotations})}}}
  };
}

/// Each relay has a folder of its own below the root, which only the operator's flags name: whoever may write the
/// resource must not choose folders of the node.
Json spool_volume(const Blueprint& blueprint) {
  const auto& spec = blueprint.relay.spec;
  if (spec.spool_type == "EmptyDir") return {{"name", "spool"}, {"emptyDir", Json::object()}};
  if (spec.spool_type == "PersistentVolumeClaim")
    return {{"name", "spool"}, {"persistentVolumeClaim", {{"claimName", spec.spool_claim}}}};
  const auto path = blueprint.spool_root + "/" + blueprint.relay.name_space + "/" + blueprint.relay.name;
  return {{"name", "spool"}, {"hostPath", {{"path", path}, {"type", "DirectoryOrCreate"}}}};
}

/// What is mounted of one Secret or ConfigMap.
struct Folder {
  Kind kind{};
  std::string name;
  auto operator<=>(const Folder&) const = default;
};

/// Sorted: what the resource names in another order is the same pod.
std::map<Folder, std::set<std::string>> folders(const api::Spec& spec, const TrustAnchors& anchors) {
  std::map<Folder, std::set<std::string>> keys;
  const auto add = [&](const api::KeyReference& key) { keys[{key.kind, key.name}].insert(key.key); };
  for (const auto& mounted : mounted_keys(spec)) add(mounted.key);
  for (const auto& key : anchor_keys(spec, anchors)) add(key);
  return keys;
}

/// Names of Secrets may be longer than those of volumes, and have dots.
std::string volume_name(const Folder& folder) { return folder_of(folder.kind, short_hash(folder.name)); }

Json folder_volume(const Folder& folder, const std::set<std::string>& keys) {
  auto items = Json::array();
  for (const auto& key : keys) items.push_back(item(key, key));
  const bool is_secret = folder.kind == Kind::secret;
  return {
    {"name", volume_name(folder)},
    {is_secret ? "secret" : "configMap",
     {{is_secret ? "secretName" : "name", folder.name},
      {"items", std::move(items)},
      {"defaultMode", kMode},
      {"optional", false}}},
  };
}

/// What the user's references bring into the pod.
Json referenced_volumes(const api::Spec& spec, const TrustAnchors& anchors) {
  auto all = Json::array();
  if (spec.passwd_client) all.push_back(secret_file("passwd-client", *spec.passwd_client, kPasswdFile));
  for (const auto& [folder, keys] : folders(spec, anchors)) all.push_back(folder_volume(folder, keys));
  return all;
}

Json read_only(const std::string& volume, const std::string& path) {
  return {{"name", volume}, {"mountPath", path}, {"readOnly", true}};
}

}  // namespace

Json volumes(const Blueprint& blueprint) {
  auto all = Json::array({config_volume(blueprint), podinfo_volume(), spool_volume(blueprint)});
  for (auto& volume : referenced_volumes(blueprint.relay.spec, blueprint.trust_anchors))
    all.push_back(std::move(volume));
  if (blueprint.reads_node_list) all.push_back(node_list_volume(blueprint.relay));
  return all;
}

Json volume_mounts(const Blueprint& blueprint) {
  const auto& spec = blueprint.relay.spec;
  auto all = Json::array(
    {read_only("config", std::string(kConfigFolder)), read_only("podinfo", std::string(kPodInfoFolder)),
     spool_mount(blueprint)}
  );
  if (spec.passwd_client) all.push_back(read_only("passwd-client", std::string(kPasswdFolder)));
  for (const auto& [folder, keys] : folders(spec, blueprint.trust_anchors)) {
    const auto place = std::string(kReferencesFolder) + "/" + folder_of(folder.kind, folder.name);
    all.push_back(read_only(volume_name(folder), place));
  }
  if (blueprint.reads_node_list)
    all.push_back(read_only(std::string(kNodeListVolume), std::string(kNodeListFolder)));
  return all;
}

Json spool_mount(const Blueprint& blueprint) {
  Json mount{{"name", "spool"}, {"mountPath", kSpoolFolder}};
  if (blueprint.relay.spec.spool_type == "PersistentVolumeClaim")
    mount["subPathExpr"] = blueprint.relay.name + "/$(" + std::string(kNodeNameVariable) + ")";
  return mount;
}

std::string settings_key(const api::Spec& spec, const TrustAnchors& anchors) {
  auto pod = referenced_volumes(spec, anchors).dump();
  for (const auto& listener : spec.listeners) pod += " " + listener.name;  // by their order they have ports
  return std::string(kSettingsPrefix) + short_hash(pod) + std::string(kSettingsSuffix);
}

bool is_settings_key(std::string_view key) {
  return key.starts_with(kSettingsPrefix) && key.ends_with(kSettingsSuffix);
}

}  // namespace op::resources
