#include "operator/relay/caches.hpp"

#include "operator/relay/trouble.hpp"
#include "operator/resources/names.hpp"

namespace op::smtp_relay {
namespace {

using runtime::Change;
using runtime::Store;
using Enqueue = std::function<void(const Key&)>;
using KeyKind = api::KeyReference::Kind;

const std::string kInstance{resources::kInstanceLabel};
const std::string kReload{resources::kReloadAnnotation};

std::string metadata_text(const Json& object, const char* part, const std::string& key) {
  const auto entries = object.at("metadata").value(part, Json::object());
  return entries.is_object() ? entries.value(key, "") : std::string();
}

const std::string kController{resources::kControllerLabel};

/// The relay that a child or pod belongs to: by its owner, or else by its label.
Key owner_of(const Json& object) {
  const auto controller = kube::controller_of(object);
  const bool is_child = controller.kind == api::kKind;
  const auto name = is_child ? controller.name : metadata_text(object, "labels", kInstance);
  return {kube::text_at(object, "/metadata/namespace"), name};
}

Store::Options children(const Enqueue& enqueue) {
  Store::Options options;
  options.on_change = [enqueue](const Change& change) { enqueue(owner_of(change.any())); };
  return options;
}

/// Our own writes to the status change no generation, and are no reason to look again.
Store::Options relays_options(const Enqueue& enqueue) {
  Store::Options options;
  options.on_change = [enqueue](const Change& change) {
    const auto differs = [&](const char* pointer) {
      const Json::json_pointer at(pointer);
      return change.before->value(at, Json()) != change.after->value(at, Json());
    };
    const bool is_news = change.before == nullptr || change.after == nullptr ||
                         controller_id_of(*change.before) != controller_id_of(*change.after) ||
                         differs("/metadata/generation") || differs("/metadata/deletionTimestamp") ||
                         differs("/metadata/uid");
    if (is_news) enqueue(kube::key_of(change.any()));
  };
  return options;
}

/// A pod concerns us when it appears, when somebody changed the stamp, and when something else is wrong with it; its
/// heartbeat does not.
Store::Options pods_options(const Enqueue& enqueue) {
  Store::Options options;
  options.trim = summarize;
  options.group_of = [](const Json& pod) { return metadata_text(pod, "labels", kInstance); };
  options.on_change = [enqueue](const Change& change) {
    if (change.after == nullptr) return;
    const auto differs = [&](const auto& get) { return get(*change.before) != get(*change.after); };
    const bool is_news =
      change.before == nullptr ||
      differs([](const Json& pod) { return metadata_text(pod, "annotations", kReload); }) ||
      differs([](const Json& pod) { return pod.value("status", Json()); });
    if (is_news) enqueue(owner_of(*change.after));
  };
  return options;
}

}  // namespace

std::string controller_id_of(const Json& relay) { return metadata_text(relay, "labels", kController); }

Caches::Caches(kube::Client& client, std::function<void(const Key&)> enqueue)
    : relays(relays_options(enqueue)),
      daemon_sets(children(enqueue)),
      config_maps(children(enqueue)),
      service_accounts(children(enqueue)),
      services(children(enqueue)),
      pods(pods_options(enqueue)),
      references(client, enqueue) {}

std::vector<std::unique_ptr<runtime::Informer>> Caches::informers(
  const std::string& name_space, const runtime::InformerContext& context
) {
  std::vector<std::unique_ptr<runtime::Informer>> made;
  const auto add = [&](
                     const kube::Resource& resource, std::string_view labels, kube::View view,
                     std::unique_ptr<runtime::Sink> feed
                   ) {
    feeds_.push_back(std::move(feed));
    made.push_back(std::make_unique<runtime::Informer>(
      kube::Selection{resource, name_space, std::string(labels), view}, *feeds_.back(), context
    ));
  };
  using kube::View;
  using resources::kManagedSelector;
  add(kSmtpRelays, "", View::full, relays.feed(name_space));
  add(kube::kDaemonSets, kManagedSelector, View::full, daemon_sets.feed(name_space));
  add(kube::kConfigMaps, kManagedSelector, View::full, config_maps.feed(name_space));
  add(kube::kServiceAccounts, kManagedSelector, View::full, service_accounts.feed(name_space));
  add(kube::kServices, kManagedSelector, View::full, services.feed(name_space));
  add(kube::kPods, kManagedSelector, View::full, pods.feed(name_space));
  add(kube::kSecrets, "", View::metadata, references.sink(KeyKind::secret, name_space));
  add(kube::kConfigMaps, "", View::metadata, references.sink(KeyKind::config_map, name_space));
  return made;
}

}  // namespace op::smtp_relay
