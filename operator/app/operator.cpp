#include "operator/app/operator.hpp"

#include <iostream>
#include <iterator>
#include <thread>

#include "operator/runtime/wait.hpp"

namespace op::app {
namespace {

using relay::seconds;

constexpr const char* kController = "smtprelay";
constexpr const char* kName = "smtp-relay-operator";
constexpr const char* kEventSource = "smtp.buildinglink.com/smtp-relay-operator";

/// For rights, of a server that did not answer.
constexpr seconds kAskAgain{10};

/// Operators with different ids lead at the same time.
std::string lease_name(const Options& options) {
  const auto& id = options.defaults.controller_id;
  return kName + (id.empty() ? "" : "-" + id);
}

smtp_relay::Realm realm_of(const Options& options, const std::string& own_namespace) {
  return {
    options.namespaces.empty() ? std::vector{own_namespace} : options.namespaces, own_namespace,
    options.leader_elect ? lease_name(options) : ""
  };
}

runtime::PlatformOptions platform_options(const Options& options, const std::string& own_namespace) {
  runtime::PlatformOptions platform;
  platform.names = {kController, lease_name(options), "smtp_relay_operator"};
  platform.program = "smtp-relay-operator/" SMTP_RELAY_VERSION;
  platform.field_manager = kName;
  platform.event_source = kEventSource;
  if (options.leader_elect) platform.lease = {own_namespace, lease_name(options)};
  platform.election = options.election;
  platform.qps = options.qps;
  platform.burst = options.burst;
  platform.workers = options.concurrency;
  platform.resync = options.resync;
  platform.health_address = options.health_address;
  platform.metrics_address = options.metrics_address;
  return platform;
}

}  // namespace

Operator::Operator(
  const Options& options, kube::Access access, const relay::Clock& clock, relay::log::Sink& log
)
    : log_(log),
      realm_(realm_of(options, access.name_space)),
      platform_(platform_options(options, access.name_space), access, clock, log),
      inspector_(pages_),
      sources_(pages_),
      caches_(
        platform_.client(), [this](const kube::Key& key) { platform_.enqueue(key); },
        [this](const kube::Key& key, const std::string& reason) {
          platform_.metrics().degraded(key.to_text(), reason);
        },
        [this] { platform_.enqueue_all(); }
      ),
      optional_kinds_(
        realm_.namespaces, caches_.optional, platform_.informers(), [this] { platform_.enqueue_all(); }
      ),
      reconciler_(
        options.defaults, {caches_, platform_.client(), platform_.events(), clock, log, inspector_, sources_,
                           [this](const kube::Key& key) { platform_.enqueue(key); }}
      ) {}

runtime::Health Operator::liveness() const {
  const auto kind = optional_kinds_.stuck();
  return {!kind, kind ? "the watch of " + std::string(*kind) + " hangs" : "ok"};
}

std::vector<std::unique_ptr<runtime::Informer>> Operator::make_informers() {
  std::vector<std::unique_ptr<runtime::Informer>> all;
  all.push_back(caches_.informer_of_nodes(platform_.informers()));
  for (const auto& name_space : realm_.namespaces) {
    auto some = caches_.informers(name_space, platform_.informers());
    std::move(some.begin(), some.end(), std::back_inserter(all));
  }
  return all;
}

int Operator::preflight(const std::stop_token& stop) {
  const auto verdicts = ask_for(platform_.client(), rights_used(realm_), stop);
  if (!verdicts) {
    std::cerr << "smtp-relay-operator: " << verdicts.error().message() << "\n";
    return 3;
  }
  std::cout << to_table(*verdicts) << std::flush;
  return lacks_what_is_required(*verdicts) ? 1 : 0;
}

void Operator::look_at_rights(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    const auto verdicts = ask_for(platform_.client(), rights_used(realm_), stop);
    if (!verdicts) {
      runtime::wait_for(kAskAgain, stop);
      continue;
    }
    for (const auto& [right, is_allowed] : *verdicts) {
      if (is_allowed) continue;
      log_.write(relay::log::warning("right_missing")
                   .with("namespace", right.question.name_space)
                   .with("resource", smtp_relay::resource_of(right.question))
                   .with("verb", right.question.verb)
                   .with("without", right.without));
    }
    return;
  }
}

relay::Result<void> Operator::run(const std::stop_token& stop) {
  platform_.serve(reconciler_, [this] { return caches_.relays.keys(); });
  const std::jthread rights([this](const std::stop_token& ended) { look_at_rights(ended); });
  optional_kinds_.start();
  auto ended = platform_.run(make_informers(), stop, [this] { return liveness(); });
  optional_kinds_.stop();
  return ended;
}

}  // namespace op::app
