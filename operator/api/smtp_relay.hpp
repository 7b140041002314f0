#pragma once
/// NAME      api -- the SmtpRelay resource as values: what users write (Spec) and what we answer (Status)
/// USES      base
/// INVARIANT pure; mirrors crds/smtp.buildinglink.com_smtprelays.yaml: a test fails when fields or defaults differ
/// FAILURES  text that says which field is wrong; the API server checked types, ranges and rules before

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "operator/api/listeners.hpp"
#include "operator/api/outgoing.hpp"
#include "operator/api/policies.hpp"
#include "operator/api/receive.hpp"
#include "operator/api/status.hpp"
#include "relay/base/result.hpp"

namespace op::api {

using Json = nlohmann::json;

inline constexpr std::string_view kGroup = "smtp.buildinglink.com";
inline constexpr std::string_view kVersion = "v1alpha1";
inline constexpr std::string_view kKind = "SmtpRelay";
inline constexpr std::string_view kPlural = "smtprelays";

/// Quantities, durations and networks stay text here: relay/config reads them, with the same rules as the relay.
/// What only Kubernetes reads (tolerations, affinity, resources) stays JSON.
struct Spec {
  std::string image;  ///< empty: the operator's own choice
  std::string image_pull_policy = "IfNotPresent";
  Json image_pull_secrets = Json::array();

  std::string management_state = "Managed";  ///< Managed, Paused
  std::string service_account_name;          ///< empty: one of its own

  std::string network_mode = "HostPort";  ///< HostPort, ClusterOnly
  std::uint16_t port = 25;
  std::vector<Listener> listeners;
  std::string host_ip;
  std::string service_type = "ClusterIP";          ///< ClusterIP, None
  std::string service_internal_traffic = "Local";  ///< Local, Cluster
  std::vector<std::string> proxy_trusted;
  std::string helo_from = "NodeName";  ///< NodeName, Static
  std::string helo_name;
  std::string helo_domain_suffix;  ///< without the dot before it
  std::vector<std::string> allowed_networks;
  std::vector<std::string> hidden_sources;
  std::vector<SenderBinding> sender_bindings;
  std::string tls_mode = "Opportunistic";  ///< towards clients: None, Opportunistic, Required
  std::string tls_min_version = "1.2";
  std::string tls_certificate;  ///< name of a Secret of the type kubernetes.io/tls; empty: no STARTTLS
  std::optional<KeyReference> auth_users;  ///< the users file of auth; none: no AUTH
  bool auth_requires_tls = true;

  std::vector<Smarthost> smarthosts;
  std::optional<KeyReference> passwd_client;
  Delivery delivery;
  std::vector<Policy> policies;
  std::string mode = "Deliver";      ///< Deliver, Capture, Redirect, Allowlist
  std::string redirect_to;           ///< of Redirect
  std::vector<std::string> allowed;  ///< allowlist.recipients
  std::string others = "Capture";    ///< allowlist.others: Capture, Reject
  std::string unqualified_domain;    ///< receive.mending; likewise
  bool adds_missing_date = false;
  bool adds_missing_message_id = false;
  bool adds_missing_from = false;
  bool hides_client_address = false;
  std::vector<Milter> milters;  ///< receive.milters
  std::vector<Dkim> dkim;
  Bounces bounces;
  std::string tls_reports_from;
  std::vector<std::string> env_from;  ///< names of ConfigMaps; later ones win

  std::string max_message_size = "25Mi";
  std::uint32_t max_recipients = 1000;
  std::uint32_t max_connections = 500;
  std::uint32_t max_connections_per_client = 50;
  std::string session_idle_timeout = "5m";  ///< limits.sessionTimeout
  std::string retry_initial_delay = "1m";
  std::string retry_multiplier = "2";  ///< as it was written, a JSON number
  std::string retry_max_delay = "1h";
  std::string retry_max_age = "120h";
  std::string retry_mx_initial_delay = "30m";
  std::string retry_warn_after = "4h";

  std::string spool_type = "HostPath";     ///< HostPath, PersistentVolumeClaim, EmptyDir
  std::string spool_claim;                 ///< name of the claim
  std::string spool_on_delete = "Retain";  ///< Retain, DrainThenDelete
  std::string spool_max_size = "10Gi";
  unsigned spool_min_free_percent = 10;

  std::uint16_t health_host_port = 8025;
  std::vector<std::string> health_fail_on;  ///< SmarthostDown, CredentialsRefused
  std::string lame_duck = "20s";
  std::string session_timeout = "30s";  ///< drain.sessionTimeout
  std::string flush_timeout = "60s";    ///< drain.flushTimeout
  bool cordon_aware = true;             ///< drain.cordonAware

  std::string pod_monitor = "Auto";  ///< metrics.podMonitor: Auto, Always, Never; likewise
  std::string rules = "Auto";
  std::string dashboard = "Auto";
  std::string network_policy = "None";  ///< Managed, None

  std::string log_level = "info";  ///< debug, info, warning, error
  bool redacts_addresses = false;
  std::optional<KeyReference> redaction_key;

  Json max_unavailable = 1;  ///< a number, or text such as `25%`
  std::uint32_t min_ready_seconds = 10;
  std::string stall_after = "10m";
  Json pod_labels = Json::object();
  Json pod_annotations = Json::object();

  Json node_selector = {{"kubernetes.io/os", "linux"}};
  Json tolerations = Json::array();
  Json node_affinity = Json::object();  ///< empty: none
  std::string priority_class_name;
  std::string runtime_class_name;
  Json requests = {{"cpu", "50m"}, {"memory", "64Mi"}};
  Json limits = {{"memory", "256Mi"}};

  friend bool operator==(const Spec&, const Spec&) = default;
};

struct SmtpRelay {
  std::string name_space;
  std::string name;
  std::string uid;
  std::string resource_version;
  std::int64_t generation = 0;
  Spec spec;
  Status status;
};

/// Reads an object as the API server stored it. Fields that are absent have their defaults, also when the CRD on the
/// server is older than this program; unknown ones are left out.
/// Errors: Errc::invalid_argument, permanent, with the field's path.
[[nodiscard]] relay::Result<SmtpRelay> parse_smtp_relay(const Json& object);

}  // namespace op::api
