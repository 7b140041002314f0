#pragma once
/// The ConfigMap from which relays learn the addresses of all nodes: who gets it, and how often it changes.

#include <map>
#include <string>

#include "operator/relay/world.hpp"
#include "operator/runtime/clock.hpp"

namespace op::smtp_relay {

/// Whether the pods of the DaemonSet as it is read the list; where there is none yet, those that will be made do. Pure.
[[nodiscard]] bool has_node_list(const World& world);

/// Whether pods are to read it. Not those that a former operator made, as long as their image stays: they would be replaced
/// for a file of which it knows nothing (decision 0065). Pure. @param image  of the relay, as it is wanted
[[nodiscard]] bool reads_node_list(const World& world, const std::string& image);

/// Whether there is a list to write: the nodes are known, and pods read it or will. Where it is not, one that is there stays:
/// relays keep to what they know. Pure. @param image  of the relay, as it is wanted
[[nodiscard]] bool wants_node_list(const World& world, const std::string& image);

/// Nodes come and go in crowds: of their changes each relay's list has one write in a while, the first at once.
///
/// Thread: one at a time.
class ListPace {
 public:
  static constexpr runtime::milliseconds kPause = runtime::seconds{10};

  /// How long to wait until the list may say this; 0: now, and from now on it does.
  [[nodiscard]] runtime::milliseconds time_left(
    const Key& relay, const std::string& list, runtime::SteadyTime now
  );
  void forget(const Key& relay) { written_.erase(relay); }

 private:
  struct Written {
    std::size_t hash;  // of the list
    runtime::SteadyTime at;
  };
  std::map<Key, Written> written_;
};

}  // namespace op::smtp_relay
