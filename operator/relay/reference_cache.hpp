#pragma once
/// What is known of the Secrets and ConfigMaps that resources name, and who names them.

#include <functional>
#include <memory>
#include <mutex>

#include "operator/kube/client.hpp"
#include "operator/relay/world.hpp"
#include "operator/runtime/store.hpp"

namespace op::smtp_relay {

/// A watch of metadata alone says when something happens to any Secret or ConfigMap of a namespace; only those that a
/// resource names are ever read, once for each version. So memory does not grow with what others keep in the namespace.
///
/// Safe from any thread.
class ReferenceCache {
 public:
  /// @param client     outlives this
  /// @param on_change  called for each SmtpRelay that names something that changed, without a lock held
  ReferenceCache(kube::Client& client, std::function<void(const Key&)> on_change)
      : client_(client), on_change_(std::move(on_change)) {}

  /// These are now the references of this SmtpRelay; none when it is gone.
  void use(const Key& relay, const std::set<Reference>& references);
  /// What is known of one that is in use; reads it when nothing is. Failures: transient ones of the request; a Secret
  /// that is missing or forbidden is an answer.
  [[nodiscard]] kube::Answer<Referenced> read(const Reference& reference, std::stop_token stop);

  /// For an informer of one kind's metadata in one namespace, or in all when it is empty. Valid as long as this.
  [[nodiscard]] std::unique_ptr<runtime::Sink> sink(api::KeyReference::Kind kind, std::string name_space);

 private:
  class Feed;
  struct Entry {
    std::set<Key> users;
    std::optional<Referenced> known;
    std::uint64_t news = 0;  // how often the watch spoke of it: tells a reading that was overtaken
  };
  /// @param resource_version  empty: it is gone
  void saw(const Reference& reference, const std::string& resource_version);
  /// Of one namespace, or of all when it is empty.
  [[nodiscard]] std::vector<Reference> in_use(api::KeyReference::Kind kind, const std::string& name_space)
    const;
  [[nodiscard]] bool is_in_use(const Reference& reference) const;

  kube::Client& client_;
  std::function<void(const Key&)> on_change_;
  mutable std::mutex mutex_;
  std::map<Reference, Entry> entries_;
  std::map<Key, std::set<Reference>> used_by_;
};

}  // namespace op::smtp_relay
