#pragma once
/// What the controller watches, and which SmtpRelay each change concerns.

#include <functional>
#include <memory>

#include "operator/relay/reference_cache.hpp"
#include "operator/runtime/informer.hpp"

namespace op::smtp_relay {

inline constexpr kube::Resource kSmtpRelays{api::kGroup, api::kVersion, api::kPlural, api::kKind};

/// Eight watches a namespace: SmtpRelays, our DaemonSets, ConfigMaps, ServiceAccounts and Services, the metadata of our pods, and
/// the metadata of all Secrets and ConfigMaps, of which only those in use are remembered.
class Caches {
 public:
  /// @param client   for reading references; outlives this
  /// @param enqueue  told of each SmtpRelay that something happened to; runs on the informers' threads
  Caches(kube::Client& client, std::function<void(const Key&)> enqueue);

  /// The informers of one namespace. They use this, which must outlive them.
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
