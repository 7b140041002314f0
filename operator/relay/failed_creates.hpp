#pragma once
/// Why the API server refuses pods of a DaemonSet, in its own words: Pod Security, a quota, a limit range, a webhook. Only
/// the DaemonSet controller hears them, and repeats them in Events.

#include <mutex>

#include "operator/kube/client.hpp"
#include "operator/relay/rollout.hpp"
#include "operator/runtime/clock.hpp"

namespace op::smtp_relay {

/// What the newest of these Events (events.k8s.io) says, without what differs from pod to pod and so would be news each
/// time. Empty: there is none, or a pod of the DaemonSet was made since.
/// @param pods  of the relay; of others' none counts
[[nodiscard]] std::string refusal_in(
  const std::vector<Json>& events, const Json& daemon_set, const std::vector<Json>& pods
);

/// The level of Pod Security that refuses, `restricted` or `baseline`; empty where it is something else.
[[nodiscard]] std::string level_in(std::string_view refusal);

/// Looks for Events while pods are missing, and only then: a few seconds after the first was missed, and from then on twice
/// a minute. A watch would hold what the whole namespace tells.
///
/// Safe from any thread, for different relays at a time.
class FailedCreates {
 public:
  /// @param client, clock  outlive this
  FailedCreates(kube::Client& client, const relay::Clock& clock) : client_(client), clock_(clock) {}

  struct Found {
    std::string words;                           ///< empty: nothing is known to be refused
    std::optional<relay::milliseconds> look_in;  ///< when to look again; none: no pod is missing
  };
  /// A request that fails finds nothing: it is tried again as if it had succeeded, one that is forbidden after ten minutes.
  /// @param is_stalled  nothing moves: then it is worth a look though the DaemonSet controller says nothing at all
  [[nodiscard]] Found of(const World& world, bool is_stalled, std::stop_token stop);
  void forget(const Key& relay);

 private:
  struct Search {
    relay::SteadyTime next;
    std::string words;
  };
  [[nodiscard]] Found ask(const World& world, std::stop_token stop);

  kube::Client& client_;
  const relay::Clock& clock_;
  std::mutex mutex_;
  std::map<Key, Search> searches_;  // under mutex_
};

}  // namespace op::smtp_relay
