#pragma once
/// What the controller watches, and which SmtpRelay each change concerns.

#include <functional>
#include <memory>

#include "operator/relay/nodes.hpp"
#include "operator/relay/optional_caches.hpp"
#include "operator/relay/owners.hpp"
#include "operator/relay/port_ledger.hpp"
#include "operator/relay/reference_cache.hpp"
#include "operator/runtime/informer.hpp"

namespace op::smtp_relay {

inline constexpr kube::Resource kSmtpRelays{api::kGroup, api::kVersion, api::kPlural, api::kKind};

/// One watch of the cluster's nodes, and eight a namespace, or eight in all: SmtpRelays, our DaemonSets, ConfigMaps,
/// ServiceAccounts and Services, our pods (metadata, node and trouble are kept), and the metadata of all Secrets and
/// ConfigMaps, of which only those in use are remembered.
class Caches {
 public:
  /// @param client   for reading references; outlives this
  /// @param enqueue  told of each SmtpRelay that something happened to; runs on the informers' threads
  /// @param judged   told of each SmtpRelay whose Degraded says something else by now: its reason while it is True, else
  ///                 nothing; likewise
  /// @param all      all SmtpRelays are to be looked at, when there is nothing more urgent; likewise
  Caches(
    kube::Client& client, std::function<void(const Key&)> enqueue,
    std::function<void(const Key&, const std::string& reason)> judged = [](const Key&, const std::string&) {},
    std::function<void()> all = [] {}
  );

  /// The informer of the cluster's nodes, which the operator can do without. Uses this, which must outlive it.
  [[nodiscard]] std::unique_ptr<runtime::Informer> informer_of_nodes(const runtime::InformerContext& context);
  /// The informers of one namespace, or of all when it is empty. They use this, which must outlive them.
  [[nodiscard]] std::vector<std::unique_ptr<runtime::Informer>> informers(
    const std::string& name_space, const runtime::InformerContext& context
  );

  // Each is filled by one informer a namespace.
  runtime::Store relays;
  runtime::Store daemon_sets;
  runtime::Store config_maps;
  runtime::Store service_accounts;
  runtime::Store services;
  runtime::Store pods;  ///< summarized (trouble.hpp), grouped by the relay's name
  ReferenceCache references;
  OptionalCaches optional;  ///< filled by OptionalKinds
  NodeCache nodes;          ///< a change of what it keeps concerns all relays
  PortLedger ports;         ///< filled by the changes of relays, DaemonSets and pods

 private:
  std::vector<std::unique_ptr<runtime::Sink>> feeds_;
};

}  // namespace op::smtp_relay
