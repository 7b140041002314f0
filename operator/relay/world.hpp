#pragma once
/// NAME      relay -- the SmtpRelay controller: gather, plan, apply, publish
/// USES      runtime, resources, kube, api, relay/config
/// INVARIANT what is to be done is decided by pure functions (plan, drift, reload, status) from one World; nothing is
///           written that is already so; a Secret's values are looked at once and not kept
/// FAILURES  what users can mend is a condition with a stable reason; while there is one, nothing is applied and what
///           runs goes on; transient failures come again behind a back-off
/// LIMITS    see crds/

#include <compare>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "operator/api/smtp_relay.hpp"
#include "operator/kube/object.hpp"
#include "operator/relay/port_claims.hpp"
#include "operator/relay/source_report.hpp"
#include "operator/resources/optional.hpp"
#include "operator/resources/references.hpp"

/// Not op::relay, which would hide ::relay from all of op.
namespace op::smtp_relay {

using api::Json;
using kube::Key;

/// A Secret or ConfigMap of the user's.
struct Reference {
  api::KeyReference::Kind kind{};
  Key key;
  /// `Secret mail/smarthost`, for messages.
  [[nodiscard]] std::string to_text() const;
  friend auto operator<=>(const Reference&, const Reference&) = default;
};

/// What we remember of one: no value of a Secret.
struct Referenced {
  bool exists = false;
  std::string unreadable;  ///< why we may not read it; empty: we may
  std::string resource_version;
  std::set<std::string> keys;
  std::map<std::string, std::set<resources::Content>> contents;  ///< what the value of a key is fit for
  std::map<std::string, std::string> environment;  ///< of a ConfigMap: what begins with SMTP_RELAY_
  std::string content_hash;                        ///< of a ConfigMap: of all its data
};

/// The level of Pod Security that a namespace enforces.
struct PodSecurity {
  std::string level;       ///< empty: it names none, and the cluster's default holds
  std::string unreadable;  ///< why we may not read it; empty: we may
};

/// Whether the cluster has a kind, for us.
enum class Presence : std::uint8_t {
  unknown,
  absent,
  forbidden,  ///< it may have it, and the operator has no right to it: as good as absent
  served
};

/// A child without which mail flows all the same.
struct OptionalState {
  Presence presence = Presence::unknown;
  std::optional<Json> live;  ///< of a digested child: perhaps with digests for its long fields
  std::string failure;  ///< why it can't be looked at, or could not be made lately; empty: it can be tried
  std::optional<relay::milliseconds> look_in{};  ///< when that is tried again; none: an event will tell
  bool is_watched = false;                       ///< `live` is from a cache: an event tells of its changes
};

/// All that a reconcile looks at, at one moment.
struct World {
  api::SmtpRelay relay;
  std::map<Reference, Referenced> references;
  std::optional<Json> service_account;
  std::optional<Json> service;
  std::optional<Json> config_map;
  std::optional<Json> daemon_set;
  std::map<resources::Optional, OptionalState> optional;
  std::vector<Json>
    pods;  ///< metadata and node of the relay's pods, and what is wrong with them (summarize())
  PodSecurity pod_security;
  PortVerdict ports;             ///< says something while the nodes are known
  SourceReports source_reports;  ///< of the pods that have an address
  std::shared_ptr<const Nodes> nodes = std::make_shared<const Nodes>();  ///< of the whole cluster; never null
};

/// The Secrets and ConfigMaps that a resource names.
[[nodiscard]] std::set<Reference> references_of(const api::SmtpRelay& relay);
/// The keys that must be in them, and what they must be.
[[nodiscard]] std::vector<resources::Mounted> keys_of(const api::SmtpRelay& relay);
/// The ConfigMap with trust anchors, if one is named. Which keys it has is nobody's to say.
[[nodiscard]] std::optional<Reference> trust_anchors_of(const api::SmtpRelay& relay);
[[nodiscard]] Reference reference_to(const api::SmtpRelay& relay, const api::KeyReference& key);

}  // namespace op::smtp_relay
