#include "operator/resources/volumes.hpp"

namespace op::resources {
namespace {

/// Read by the relay's group alone.
constexpr int kMode = 0440;

constexpr std::string_view kSettingsPrefix = "relay-";
constexpr std::string_view kSettingsSuffix = ".json";

Json one_file(const std::string& key, std::string_view file) {
  return Json::array({{{"key", key}, {"path", file}, {"mode", kMode}}});
}

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

Json key_file(const char* volume, const api::KeyReference& from, std::string_view file) {
  if (from.kind == api::KeyReference::Kind::secret) return secret_file(volume, from, file);
  return {
    {"name", volume},
    {"configMap",
     {{"name", from.name}, {"items", one_file(from.key, file)}, {"defaultMode", kMode}, {"optional", false}}},
  };
}

Json config_volume(const Blueprint& blueprint) {
  const auto& relay = blueprint.relay;
  return {
    {"name", "config"},
    {"configMap",
     {{"name", child_name(relay)},
      {"items", one_file(settings_key(relay.spec), kConfigFile)},
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
  if (blueprint.relay.spec.spool_type == "EmptyDir") return {{"name", "spool"}, {"emptyDir", Json::object()}};
  const auto path = blueprint.spool_root + "/" + blueprint.relay.name_space + "/" + blueprint.relay.name;
  return {{"name", "spool"}, {"hostPath", {{"path", path}, {"type", "DirectoryOrCreate"}}}};
}

const api::KeyReference* authority(const api::Spec& spec) {
  if (spec.smarthosts.empty() || !spec.smarthosts.front().ca) return nullptr;
  return &*spec.smarthosts.front().ca;
}

/// What the user's references bring into the pod.
Json referenced_volumes(const api::Spec& spec) {
  auto all = Json::array();
  if (spec.passwd_client) all.push_back(secret_file("passwd-client", *spec.passwd_client, kPasswdFile));
  if (const auto* ca = authority(spec)) all.push_back(key_file("smarthost-ca", *ca, kAuthorityFile));
  return all;
}

Json read_only(const char* volume, std::string_view path) {
  return {{"name", volume}, {"mountPath", path}, {"readOnly", true}};
}

}  // namespace

Json volumes(const Blueprint& blueprint) {
  auto all = Json::array({config_volume(blueprint), podinfo_volume(), spool_volume(blueprint)});
  for (auto& volume : referenced_volumes(blueprint.relay.spec)) all.push_back(std::move(volume));
  return all;
}

Json volume_mounts(const api::Spec& spec) {
  auto all = Json::array(
    {read_only("config", kConfigFolder), read_only("podinfo", kPodInfoFolder),
     Json{{"name", "spool"}, {"mountPath", kSpoolFolder}}}
  );
  if (spec.passwd_client) all.push_back(read_only("passwd-client", kPasswdFolder));
  if (authority(spec) != nullptr) all.push_back(read_only("smarthost-ca", kAuthorityFolder));
  return all;
}

std::string settings_key(const api::Spec& spec) {
  const auto mounts = short_hash(referenced_volumes(spec).dump());
  return std::string(kSettingsPrefix) + mounts + std::string(kSettingsSuffix);
}

bool is_settings_key(std::string_view key) {
  return key.starts_with(kSettingsPrefix) && key.ends_with(kSettingsSuffix);
}

}  // namespace op::resources
