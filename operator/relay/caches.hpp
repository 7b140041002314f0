#pragma once
/// What the controller watches, and which SmtpRelay each change concerns.

#include <functional>
#include <memory>

#include "operator/relay/reference_cache.hpp"
#include "operator/runtime/informer.hpp"

namespace op::smtp_relay {

inline constexpr kube::Resource kSmtpRelays{api::kGroup, api::kVersion, api::kPlural, api::kKind};

/// For which operator an SmtpRelay is; empty: for the one without an id.
[[nodiscard]] std::string controller_id_of(const Json& relay);

/// Eight watches a namespace, or eight in all: SmtpRelays, our DaemonSets, ConfigMaps, ServiceAccounts and Services, our pods
/// (metadata, node and trouble are kept), and
/// the metadata of all Secrets and ConfigMaps, of which only those in use are remembered.
class Caches {
 public:
  /// @param client   for reading references; outlives this
  /// @param enqueue  told of each SmtpRelay that something happened to; runs on the informers' threads
  Caches(kube::Client& client, std::function<void(const Key&)> enqueue);

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

 private:
  std::vector<std::unique_ptr<runtime::Sink>> feeds_;
};

}  // namespace op::smtp_relay
