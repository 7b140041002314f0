#pragma once
/// NAME      resources -- what an SmtpRelay becomes: one builder a file
/// USES      api, relay/config
/// INVARIANT pure; every field that the API server would fill in is stated, so that what it stores equals what we
///           built, and the difference to what somebody changed is plain; golden YAML in tests/golden
/// FAILURES  none: what can be wrong is found before (operator/relay's plan)

#include <chrono>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <string_view>

#include "operator/api/smtp_relay.hpp"
#include "operator/resources/placing.hpp"

namespace op::resources {

using api::Json;

/// Keys of the ConfigMap with trust anchors (spec.delivery.trustAnchorsConfigMapRef): what is in it says which files the
/// relay has.
using TrustAnchors = std::set<std::string>;

/// What the builders need besides the resource itself.
struct Blueprint {
  const api::SmtpRelay& relay;  // outlives this
  std::string image;
  std::string spool_root;        ///< folder on the node that holds all spools
  std::string environment_hash;  ///< of the ConfigMaps that are read at the start alone; empty: none
  std::chrono::milliseconds drain_time{};  ///< lame duck and sessions, as the relay will have them
  TrustAnchors trust_anchors{};
  std::string host_name{
  };  ///< what host_name() gave; empty: the relay's own choice, or that of its environment
  Exclusions exclusions{};  ///< nodes that are left to another relay
  std::optional<std::chrono::milliseconds> flush_time{
  };  ///< behind drain_time; nothing: not a word of it in the pod
  bool reads_node_list = true;  ///< the pod has the list of nodes
};

/// Names that users, dashboards and the relay rely on.
inline constexpr std::string_view kReloadAnnotation = "smtp.buildinglink.com/reload";
/// Of a pod: why its node is cordoned, for the relay to read.
inline constexpr std::string_view kCordonedAnnotation = "smtp.buildinglink.com/cordoned";
/// Of a pod: its relay takes nothing new and sends what it can, for it is about to go for good.
inline constexpr std::string_view kRetireAnnotation = "smtp.buildinglink.com/retire";
inline constexpr std::string_view kEnvironmentAnnotation = "smtp.buildinglink.com/environment-hash";
inline constexpr std::string_view kSettingsAnnotation = "smtp.buildinglink.com/settings";
/// How much of a pod's grace period is for the flush. Templates without it were made when relays had none.
inline constexpr std::string_view kFlushAnnotation = "smtp.buildinglink.com/flush-timeout";
/// Of an SmtpRelay: which operator it is for (--controller-id); none: the one without an id.
inline constexpr std::string_view kControllerLabel = "smtp.buildinglink.com/controller-id";
inline constexpr std::string_view kRestartedAnnotation = "kubectl.kubernetes.io/restartedAt";
inline constexpr std::string_view kInstanceLabel = "app.kubernetes.io/instance";
/// Selects everything that this operator makes.
inline constexpr std::string_view kManagedSelector =
  "app.kubernetes.io/managed-by=smtp-relay-operator,app.kubernetes.io/name=smtp-relay";

/// The variable with the node's name, for other variables and for the folder of a shared spool.
inline constexpr std::string_view kNodeNameVariable = "SMTP_RELAY_NODE_NAME";

/// Where things lie in the relay's container.
inline constexpr std::string_view kConfigFolder = "/etc/smtp-relay/config";
inline constexpr std::string_view kConfigFile = "relay.json";
inline constexpr std::string_view kPasswdFolder = "/etc/exim4";
inline constexpr std::string_view kPasswdFile = "passwd.client";
inline constexpr std::string_view kReferencesFolder = "/etc/smtp-relay/refs";
inline constexpr std::string_view kPodInfoFolder = "/etc/smtp-relay/podinfo";
inline constexpr std::string_view kSpoolFolder = "/var/spool/smtp-relay";

inline constexpr std::string_view kSmtpPortName = "tcp-smtp";
inline constexpr std::string_view kMetricsPortName = "http-metrics";
inline constexpr int kSmtpPort = 2525;
/// In the container, of the first of spec.network.listeners; the others follow in their order.
inline constexpr int kFirstListenerPort = 2526;
inline constexpr int kHealthPort = 8025;
inline constexpr int kMetricsPort = 9090;
inline constexpr int kAdminPort = 8026;
/// User and group of the relay: in no Debian package's range.
inline constexpr int kUser = 2525;

/// Of a port of pods and of the Service: `tcp-submissions`, 15 characters at most.
[[nodiscard]] std::string port_name(const api::Listener& listener);

/// All children have this name.
[[nodiscard]] std::string child_name(const api::SmtpRelay& relay);
/// Of all children and pods. No version: a changed label in the pod template restarts every relay.
[[nodiscard]] Json labels(const api::SmtpRelay& relay);
/// The part of the labels that tells one relay's pods from all others; it can't change while a DaemonSet lives.
[[nodiscard]] Json selector_labels(const api::SmtpRelay& relay);
/// metadata of a child: name, namespace, labels, and the SmtpRelay as its owner.
[[nodiscard]] Json metadata(const api::SmtpRelay& relay);
/// The same with more labels; those that it has stay as they are.
[[nodiscard]] Json with_labels(Json metadata, const Json& more);

/// The folder of a Secret or ConfigMap below kReferencesFolder: `secret-<name>` or `configmap-<name>`.
[[nodiscard]] std::string folder_of(api::KeyReference::Kind kind, const std::string& name);

/// The first 16 hexadecimal digits of the SHA-256: short enough to read, long enough to differ.
[[nodiscard]] std::string short_hash(std::string_view text);

}  // namespace op::resources
