#pragma once
/// What keeps pods from taking mail, in the words of those who run them.

#include <optional>
#include <string>
#include <vector>

#include "operator/kube/object.hpp"

namespace op::smtp_relay {

struct Trouble {
  std::string node;     ///< empty where the pod does not say for which one it is
  std::string reason;   ///< one CamelCase word: Unschedulable, ImagePullBackOff, CrashLoopBackOff, NotReady
  std::string message;  ///< printable; may be empty
  friend bool operator==(const Trouble&, const Trouble&) = default;
};

/// Of a whole pod. Nothing where it is ready.
[[nodiscard]] std::optional<Trouble> trouble_of(const kube::Json& pod);

/// Leaves of a whole pod its metadata, its node (`spec.nodeName`) and its trouble (`status.reason`, `status.message`).
void summarize(kube::Json& pod);

/// The troubles of the DaemonSet's pods as summarize() left them, one for each node, by the nodes' names. Those of pods
/// that are being deleted give way to others.
[[nodiscard]] std::vector<Trouble> troubles_of(
  const std::vector<kube::Json>& pods, const std::string& daemon_set_uid
);

}  // namespace op::smtp_relay
