#pragma once
/// Telling running pods to read their files again.

#include "operator/relay/world.hpp"
#include "operator/runtime/clock.hpp"

namespace op::smtp_relay {

/// Kubelet renews a pod's mounted files within a minute or so, and at once when an annotation of the pod changes; the
/// annotation also says which state the files should have. Kubelet learns of a changed ConfigMap or Secret by a watch of
/// its own, so the pods are stamped this long after we learned of it, in which more changes may come together.
inline constexpr runtime::milliseconds kSettleTime = runtime::seconds{1};

/// What pods should have, and which pods.
struct Stamp {
  std::string daemon_set_uid;
  std::string settings_key;  ///< those with another one read other settings: nothing is new for them
  std::string text;
};

/// Which pods have another stamp than this: those of our DaemonSet, with these mounts, that are not being deleted.
[[nodiscard]] std::vector<Json> pods_to_stamp(const std::vector<Json>& pods, const Stamp& stamp);

/// The merge patch that stamps a pod, and no other pod that has taken its name since.
[[nodiscard]] Json stamping(const Json& pod, const std::string& stamp);

/// Remembers since when a relay's stamp is what it is.
///
/// Thread: one at a time.
class Settling {
 public:
  /// How long to wait until `stamp` may be written; 0: now.
  [[nodiscard]] runtime::milliseconds time_left(
    const Key& relay, const std::string& stamp, runtime::SteadyTime now
  );
  void forget(const Key& relay) { since_.erase(relay); }

 private:
  struct Since {
    std::string stamp;
    runtime::SteadyTime at;
  };
  std::map<Key, Since> since_;
};

}  // namespace op::smtp_relay
