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

/// The reason of a pod that runs and is not ready: kubelet's probe failed, or none has succeeded yet.
inline constexpr std::string_view kNotReady = "NotReady";
/// The reason of a pod that is not ready because its node is cordoned.
inline constexpr std::string_view kCordoned = "Cordoned";

/// Of a whole pod. Nothing where it is ready.
[[nodiscard]] std::optional<Trouble> trouble_of(const kube::Json& pod);

/// Leaves of a whole pod its metadata, its node (`spec.nodeName`), its address and its trouble (`status.reason`,
/// `status.message`).
void summarize(kube::Json& pod);

/// The node that has a pod as summarize() left it; empty: it waits for the scheduler.
[[nodiscard]] std::string bound_to(const kube::Json& pod);

/// Of a pod that summarize() saw; empty while it has none.
[[nodiscard]] std::string address_of(const kube::Json& pod);

/// The troubles of the DaemonSet's pods as summarize() left them, one for each node, by the nodes' names. Those of pods
/// that are being deleted give way to others.
[[nodiscard]] std::vector<Trouble> troubles_of(
  const std::vector<kube::Json>& pods, const std::string& daemon_set_uid
);

/// The first of them, for a message: `node2: ImagePullBackOff (Back-off pulling image "x"), and 3 more`; empty where there
/// is none.
[[nodiscard]] std::string to_text(const std::vector<Trouble>& troubles);

/// A pod that only begins or ends says so too: this may pass by itself.
[[nodiscard]] bool may_pass(const Trouble& trouble);

}  // namespace op::smtp_relay
