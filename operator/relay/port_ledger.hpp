#pragma once
/// Keeps book of who claims which ports of nodes, as caches see it.

#include <functional>
#include <mutex>

#include "operator/relay/port_index.hpp"
#include "operator/runtime/store.hpp"

namespace op::smtp_relay {

/// Told of each change of SmtpRelays, their DaemonSets and pods, in all namespaces that are watched, of whichever operator.
/// A kilobyte or so for each.
///
/// Safe from any thread.
class PortLedger {
 public:
  /// @param nodes    outlives this
  /// @param enqueue  told of each SmtpRelay that may get or lose a port by what another did; runs on the thread of the
  ///                 change, without a lock held
  PortLedger(const NodeCache& nodes, std::function<void(const Key&)> enqueue)
      : nodes_(nodes), enqueue_(std::move(enqueue)) {}

  void relay_changed(const runtime::Change& change);
  void daemon_set_changed(const runtime::Change& change);
  /// Of pods as summarize() leaves them.
  void pod_changed(const runtime::Change& change);

  /// @param live  what the relay's DaemonSet leaves to others now
  [[nodiscard]] PortVerdict verdict(const Key& relay, const Nodes& nodes, const resources::Exclusions& live)
    const;

 private:
  void update(const Key& relay, const std::function<void(Claim&)>& change);
  void note(const kube::Json& pod, const std::string& on, const std::string& daemon_set);
  [[nodiscard]] std::set<Key> rivals_of(
    const Key& relay, const Claim& claim, const std::vector<const Node*>& nodes
  ) const;
  void settle(const Key& relay);  // under mutex_, as rivals_of()

  const NodeCache& nodes_;
  std::function<void(const Key&)> enqueue_;
  mutable std::mutex mutex_;
  Claimants claimants_;  // under mutex_
  PortIndex index_;      // of all of them; likewise
};

}  // namespace op::smtp_relay
