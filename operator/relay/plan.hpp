#pragma once
/// What is to be done about one SmtpRelay.

#include <algorithm>

#include "operator/kube/resource.hpp"
#include "operator/relay/checks.hpp"
#include "operator/relay/cordon.hpp"
#include "operator/relay/port_available.hpp"
#include "operator/relay/source_preserved.hpp"
#include "operator/relay/trouble.hpp"

namespace op::smtp_relay {

/// What an operator's flags decide for all relays.
struct Defaults {
  std::string relay_image;
  std::string spool_root;
  std::string controller_id{};  ///< which SmtpRelays are ours, by their label; empty: those without one
  Json pod_monitor_labels = Json::object();  ///< what Prometheus selects PodMonitors by
  Json rule_labels = Json::object();         ///< and rules
};

/// The image of the relay, as it is wanted.
[[nodiscard]] inline const std::string& wanted_image(
  const api::SmtpRelay& relay, const std::string& default_image
) {
  return relay.spec.image.empty() ? default_image : relay.spec.image;
}

/// An object that must be so.
struct Child {
  kube::Resource resource;
  Json desired;
  std::vector<std::string> exclusive;   ///< top-level fields in which nobody else may have a say: `spec`
  std::vector<std::string> assigned{};  ///< fields of `spec` that the server fills in, and nobody changes
  bool is_digested = false;             ///< caches hold digests of `exclusive`, which is long
};

/// An object of ours that must not be.
struct Removal {
  kube::Resource resource;
  Json live;
};

/// About children without which mail flows all the same.
struct OptionalPlan {
  std::vector<std::pair<resources::Optional, Child>> apply;
  std::vector<std::pair<resources::Optional, Removal>> remove;
  std::vector<std::string>
    lost;  ///< what there is not, though it is wanted, and why. Grows when it is carried out
  std::vector<std::pair<resources::Optional, std::string>>
    conflicts;  ///< of these: whose name another's object has, and what is lost
  std::optional<relay::milliseconds> look_in{};  ///< no event tells when that has changed; none: one will

  /// The next look comes within this time.
  void look_within(std::optional<relay::milliseconds> time) {
    if (time) look_in = std::min(look_in.value_or(*time), *time);
  }
};

struct Plan {
  Findings findings;            ///< any: apply nothing, what runs goes on
  bool is_paused = false;       ///< then too
  std::vector<Child> apply;     ///< in this order
  std::vector<Removal> remove;  ///< behind that
  OptionalPlan optional;        ///< behind all else, but for the list of nodes: before the pods that read it
  std::string image;
  std::string config_hash;
  std::string reload;        ///< for the pods' annotation: changes whenever they have something to read again
  std::string settings_key;  ///< of the pods that this is news for
  bool keeps_former_settings = false;  ///< for pods with other mounts, until they are replaced
  std::vector<api::ObservedSecret> secrets;
  std::vector<Trouble> troubles;            ///< of pods that do not take mail, by node
  bool is_stalled = false;                  ///< the rollout makes no progress. Found out afterwards
  std::optional<PodSecurity> pod_security;  ///< none: nobody has looked
  std::optional<Ports> ports;               ///< likewise
  Cordons cordons;
  std::optional<SourceSight> sources;  ///< none: nobody has looked
  std::string
    not_held;  ///< why a deletion will not wait for the mail, though it should; empty: nothing. Found out before
  std::string
    refused_pods;  ///< why the API server refuses pods, in its words; empty: not known to. Found out afterwards
  std::string
    not_stamped;  ///< why pods could not be told to read again; empty: they could. Found out afterwards
};

/// Ours to delete: its owner is this SmtpRelay, and nobody deletes it yet.
[[nodiscard]] bool is_removable(const Json& live, const api::SmtpRelay& relay);

/// Pure. All checks run, so that all that is wrong shows at once.
[[nodiscard]] Plan make_plan(const World& world, const Defaults& defaults);

}  // namespace op::smtp_relay
