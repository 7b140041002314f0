#pragma once
/// What is to be done about one SmtpRelay.

#include "operator/kube/resource.hpp"
#include "operator/relay/checks.hpp"
#include "operator/relay/trouble.hpp"

namespace op::smtp_relay {

/// What an operator's flags decide for all relays.
struct Defaults {
  std::string relay_image;
  std::string spool_root;
  std::string controller_id{};  ///< which SmtpRelays are ours, by their label; empty: those without one
};

/// An object that must be so.
struct Child {
  kube::Resource resource;
  Json desired;
  std::vector<std::string> exclusive;   ///< top-level fields in which nobody else may have a say: `spec`
  std::vector<std::string> assigned{};  ///< fields of `spec` that the server fills in, and nobody changes
};

/// An object of ours that must not be.
struct Removal {
  kube::Resource resource;
  Json live;
};

struct Plan {
  Findings findings;            ///< any: apply nothing, what runs goes on
  bool is_paused = false;       ///< then too
  std::vector<Child> apply;     ///< in this order
  std::vector<Removal> remove;  ///< behind that
  std::string image;
  std::string config_hash;
  std::string reload;        ///< for the pods' annotation: changes whenever they have something to read again
  std::string settings_key;  ///< of the pods that this is news for
  bool keeps_former_settings = false;  ///< for pods with other mounts, until they are replaced
  std::vector<api::ObservedSecret> secrets;
  std::vector<Trouble> troubles;            ///< of pods that do not take mail, by node
  bool is_stalled = false;                  ///< the rollout makes no progress. Found out afterwards
  std::optional<PodSecurity> pod_security;  ///< none: nobody has looked
  std::string
    not_stamped;  ///< why pods could not be told to read again; empty: they could. Found out afterwards
};

/// Pure. All checks run, so that all that is wrong shows at once.
[[nodiscard]] Plan make_plan(const World& world, const Defaults& defaults);

}  // namespace op::smtp_relay
