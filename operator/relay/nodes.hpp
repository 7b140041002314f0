#pragma once
/// What is known of the cluster's nodes: where a pod may run, and which nodes are about to go.

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "operator/relay/node_addresses.hpp"
#include "operator/runtime/store.hpp"

namespace op::smtp_relay {

struct Taint {
  std::string key;
  std::string value;   ///< may be empty
  std::string effect;  ///< NoSchedule, PreferNoSchedule, NoExecute
  friend bool operator==(const Taint&, const Taint&) = default;
};

/// What we keep of a node: of its 10 KB, nothing that a heartbeat changes.
struct Node {
  std::string name;
  std::map<std::string, std::string> labels;
  /// In the object's order, without those by which Kubernetes says how a node is (not-ready, unreachable, pressure): it
  /// gives every pod of a DaemonSet the tolerations for them, so they decide nothing here.
  std::vector<Taint> taints;
  bool is_unschedulable = false;  ///< spec.unschedulable, as `kubectl cordon` sets it
  NodeAddresses addresses;
  friend bool operator==(const Node&, const Node&) = default;
};

/// Of an object of the API, whole or trimmed. What has another form than the API gives it is left out. Pure.
[[nodiscard]] Node parse_node(const kube::Json& object);

/// All nodes at one moment.
struct Nodes {
  std::map<std::string, std::shared_ptr<const Node>> by_name;
  bool is_listed = false;      ///< false: nobody has answered yet
  std::string unreadable;      ///< why we may not read them (now, whatever was seen before); empty: we may
  std::string hidden_sources;  ///< hidden_sources_of(), in what NodeCache::now() gives: once for all who ask

  /// False: `by_name` says nothing of what is so now.
  [[nodiscard]] bool are_known() const { return is_listed && unreadable.empty(); }
  /// Null where there is none of this name.
  [[nodiscard]] const Node* find(const std::string& name) const;
};

/// Filled by one informer for the whole cluster, which the operator can do without: where it may not list nodes, `Nodes`
/// says so, and a right that is granted later is noticed by the informer's next try.
///
/// Safe from any thread.
class NodeCache {
 public:
  /// @param on_change  called when something that is kept has changed, once for a whole list; on the informer's thread,
  ///                   without a lock held
  explicit NodeCache(std::function<void()> on_change) : on_change_(std::move(on_change)) {}

  /// Cheap: all who ask between two changes share one.
  [[nodiscard]] std::shared_ptr<const Nodes> now() const;

  /// For the informer; uses this, which must outlive it.
  [[nodiscard]] std::unique_ptr<runtime::Sink> feed();

 private:
  class Feed;
  void upsert(const kube::Json& object);
  void erase(const std::string& name);
  void list_begins();
  void keep_only(const std::set<kube::Key>& present);
  void refused(const std::string& why);

  /// Under the lock. @return  whether it is to be told now
  [[nodiscard]] bool has_changed();

  std::function<void()> on_change_;
  mutable std::mutex mutex_;
  Nodes nodes_;
  bool is_listing_ = true;                       // nobody hears of a list before it is whole
  bool is_untold_ = false;                       // something has changed since it began
  mutable std::shared_ptr<const Nodes> shared_;  // a copy of nodes_; null: it has changed since
};

}  // namespace op::smtp_relay
