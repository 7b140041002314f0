#include "operator/relay/caches.hpp"

#include "operator/relay/drain.hpp"
#include "operator/relay/drift.hpp"
#include "operator/relay/owners.hpp"
#include "operator/relay/trouble.hpp"
#include "operator/resources/dashboard.hpp"
#include "operator/resources/names.hpp"
#include "operator/resources/node_list.hpp"

namespace op::smtp_relay {
namespace {

using runtime::Change;
using runtime::Store;
using Enqueue = std::function<void(const Key&)>;
using Judged = std::function<void(const Key&, const std::string&)>;
using KeyKind = api::KeyReference::Kind;

const std::string kInstance{resources::kInstanceLabel};
const std::string kReload{resources::kReloadAnnotation};
const std::string kCordoned{resources::kCordonedAnnotation};
const std::string kLastApplied = "kubectl.kubernetes.io/last-applied-configuration";

Store::Options children(const Enqueue& enqueue) {
  Store::Options options;
  options.on_change = [enqueue](const Change& change) { enqueue(owner_of(change.any())); };
  return options;
}

/// Why an SmtpRelay is degraded, as its status has it; empty: it is not, or not there.
std::string degraded_reason(const Json* relay) {
  if (relay == nullptr) return {};
  const auto status = api::parse_status(relay->value("status", Json()));
  const auto* degraded = status.find(api::condition::kDegraded);
  return degraded != nullptr && degraded->status == "True" ? degraded->reason : "";
}

/// Of a dashboard and of a list of nodes a digest is enough: they are long.
Store::Options config_maps_options(const Enqueue& enqueue) {
  auto options = children(enqueue);
  options.trim = [](Json& config_map) {
    const bool is_dashboard =
      !metadata_text(config_map, "labels", std::string(resources::kDashboardLabel)).empty();
    if (!is_dashboard && !resources::is_node_list(kube::key_of(config_map).name)) return;
    for (const auto* field : {"data", "binaryData"}) {
      if (config_map.contains(field)) config_map[field] = digested(config_map[field]);
    }
  };
  return options;
}

/// Of all rules too.
Store::Options rules_options(const Enqueue& enqueue) {
  auto options = children(enqueue);
  options.trim = [](Json& rule) { rule["spec"] = digested(rule.value("spec", Json())); };
  return options;
}

/// Our own writes to the status change no generation, and are no reason to look again.
Store::Options relays_options(const Enqueue& enqueue, const Judged& judged) {
  Store::Options options;
  // kubectl keeps the whole resource there once more.
  options.trim = [](Json& relay) {
    const auto annotations = relay["metadata"].find("annotations");
    if (annotations != relay["metadata"].end() && annotations->is_object()) annotations->erase(kLastApplied);
  };
  options.on_change = [enqueue, judged](const Change& change) {
    const auto reason = degraded_reason(change.after);
    if (reason != degraded_reason(change.before)) judged(kube::key_of(change.any()), reason);
    const auto differs = [&](const char* pointer) {
      const Json::json_pointer at(pointer);
      return change.before->value(at, Json()) != change.after->value(at, Json());
    };
    const bool is_news = change.before == nullptr || change.after == nullptr ||
                         controller_id_of(*change.before) != controller_id_of(*change.after) ||
                         has_finalizer(*change.before) != has_finalizer(*change.after) ||
                         is_forced(*change.before) != is_forced(*change.after) ||
                         differs("/metadata/generation") || differs("/metadata/deletionTimestamp") ||
                         differs("/metadata/uid");
    if (is_news) enqueue(kube::key_of(change.any()));
  };
  return options;
}

/// A pod concerns us when it appears, when it gets a node, when somebody changed what we told it, and when something else
/// is wrong with it; its heartbeat does not.
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
      differs([](const Json& pod) { return metadata_text(pod, "annotations", kCordoned); }) ||
      differs([](const Json& pod) { return kube::text_at(pod, "/spec/nodeName"); }) ||
      differs([](const Json& pod) { return pod.value("status", Json()); });
    if (is_news) enqueue(owner_of(*change.after));
  };
  return options;
}

/// The ledger hears of it first: who is woken looks into it.
Store::Options booked(Store::Options options, const std::function<void(const Change&)>& book) {
  options.on_change = [book, then = std::move(options.on_change)](const Change& change) {
    book(change);
    then(change);
  };
  return options;
}

}  // namespace

Caches::Caches(
  kube::Client& client, std::function<void(const Key&)> enqueue,
  std::function<void(const Key&, const std::string&)> judged, std::function<void()> all
)
    : relays(
        booked(relays_options(enqueue, judged), [this](const Change& change) { ports.relay_changed(change); })
      ),
      daemon_sets(
        booked(children(enqueue), [this](const Change& change) { ports.daemon_set_changed(change); })
      ),
      config_maps(config_maps_options(enqueue)),
      service_accounts(children(enqueue)),
      services(children(enqueue)),
      pods(booked(pods_options(enqueue), [this](const Change& change) { ports.pod_changed(change); })),
      references(client, enqueue),
      optional(children(enqueue), rules_options(enqueue)),
      nodes(std::move(all)),
      ports(nodes, enqueue) {}

std::unique_ptr<runtime::Informer> Caches::informer_of_nodes(const runtime::InformerContext& context) {
  feeds_.push_back(nodes.feed());
  return std::make_unique<runtime::Informer>(
    kube::Selection{kube::kNodes, "", "", kube::View::full}, *feeds_.back(), context,
    runtime::Reflector::Lists::streamed, runtime::Informer::Need::optional
  );
}

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
