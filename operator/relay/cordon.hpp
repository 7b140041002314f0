#pragma once
/// Telling relays that their node is cordoned: they refuse probes and try what waits on them before it goes.

#include "operator/relay/rollout.hpp"

namespace op::smtp_relay {

/// Why a node is cordoned, in one word: the key of a taint by which a program says that it takes the node away, or else
/// `unschedulable`. Nothing where it is not. Pure.
[[nodiscard]] std::optional<std::string> cordon_of(const Node& node);

/// What is known of the cordoned nodes among those of a relay's pods.
struct Cordons {
  enum class Sight : std::uint8_t {
    pending,    ///< nobody has looked yet
    forbidden,  ///< the operator may not list nodes
    off,        ///< drain.cordonAware is false
    clear,
  };
  Sight sight = Sight::pending;
  std::map<std::string, std::string> nodes{};  ///< name -> cordon_of(); filled where the sight is clear
  std::set<std::string> ready{};               ///< of these, those whose pod still takes mail
  std::string untold{};  ///< why some pod could not be told; empty: all could. Found out afterwards
};
/// Of the DaemonSet's pods. Pure.
[[nodiscard]] Cordons cordons_of(const World& world);

/// A pod whose annotation says something else than it should.
struct Mark {
  Json pod;
  std::string node;
  std::string why;  ///< cordon_of(); empty: the annotation goes
};
/// Which pods of the DaemonSet are to be told, those that are being deleted left out. Where nodes can't be seen, or a node
/// is not known (any more), what its pod says stays: a drain must not end by accident. Pure.
[[nodiscard]] std::vector<Mark> marks_due(const World& world, const Cordons& cordons);

/// The merge patch that tells a pod, and no other pod that has taken its name since.
[[nodiscard]] Json marking(const Mark& mark);

/// All pods are of the present template, and none but those on cordoned nodes are unavailable: nobody waits for more. A
/// cordoned node counts as such only while its pod takes no mail: of 3 nodes with 2 pods available and one cordoned all is
/// done if that one's pod is the third, and not if it is one of the two, since then another node has none.
[[nodiscard]] bool has_rolled_out(const Rollout& rollout, const Cordons& cordons);

}  // namespace op::smtp_relay
