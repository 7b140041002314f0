#include "operator/resources/pod_template.hpp"

#include "operator/resources/service_account.hpp"
#include "operator/resources/volumes.hpp"
#include "relay/base/units.hpp"

namespace op::resources {
namespace {

Json drop_all_capabilities() { return {{"drop", Json::array({"ALL"})}}; }

Json own_field(std::string_view name, const char* path) {
  return {{"name", name}, {"valueFrom", {{"fieldRef", {{"apiVersion", "v1"}, {"fieldPath", path}}}}}};
}

Json node_name() { return own_field(kNodeNameVariable, "spec.nodeName"); }

/// Who and where the relay is. `hostIPs`: a network that hides clients may show the node's own address instead, which
/// must never match the allowed networks.
Json identity(const std::string& host_name) {
  auto variables = Json::array({
    node_name(),
    own_field("SMTP_RELAY_POD_NAME", "metadata.name"),
    own_field("SMTP_RELAY_POD_NAMESPACE", "metadata.namespace"),
    own_field("SMTP_RELAY_HOST_ADDRESSES", "status.hostIPs"),
  });
  // Behind what it refers to.
  if (!host_name.empty()) variables.push_back({{"name", "SMTP_RELAY_HOSTNAME"}, {"value", host_name}});
  return variables;
}

/// A port of the container, and where clients come from outside of the cluster, of the node.
Json port(std::string_view name, int number, const api::Spec& spec, std::optional<std::uint16_t> of_node) {
  Json made{{"name", name}, {"containerPort", number}, {"protocol", "TCP"}};
  if (!of_node || spec.network_mode == "ClusterOnly") return made;
  made["hostPort"] = *of_node;
  if (!spec.host_ip.empty()) made["hostIP"] = spec.host_ip;
  return made;
}

struct Pace {
  int period;    // seconds
  int timeout;   // seconds
  int failures;  // in a row
};

Json probe(const char* path, const Pace& pace) {
  return {
    {"httpGet", {{"path", path}, {"port", "http-health"}, {"scheme", "HTTP"}}},
    {"periodSeconds", pace.period},
    {"timeoutSeconds", pace.timeout},
    {"failureThreshold", pace.failures},
    {"successThreshold", 1},
  };
}

/// Opening a large spool, or waiting for a predecessor's lock on it, may take minutes.
constexpr Pace kStartup{2, 2, 150};
constexpr Pace kLiveness{10, 5, 3};
constexpr Pace kReadiness{5, 3, 2};

void say_where_messages_end(Json& container) {
  container["terminationMessagePath"] = "/dev/termination-log";
  // A relay that refuses its configuration says why in its last lines: kubectl describe then shows them.
  container["terminationMessagePolicy"] = "FallbackToLogsOnError";
}

Json environment_sources(const api::Spec& spec) {
  Json sources = Json::array();
  for (const auto& name : spec.env_from) sources.push_back({{"configMapRef", {{"name", name}}}});
  return sources;
}

Json relay_container(const Blueprint& blueprint) {
  const auto& spec = blueprint.relay.spec;
  Json container{
    {"name", "relay"},
    {"image", blueprint.image},
    {"imagePullPolicy", spec.image_pull_policy},
    {"args", Json::array({"--config", std::string(kConfigFolder) + "/" + std::string(kConfigFile)})},
    {"env", identity(blueprint.host_name)},
    {"ports", container_ports(spec)},
    {"startupProbe", probe("/livez", kStartup)},
    {"livenessProbe", probe("/livez", kLiveness)},
    {"readinessProbe", probe("/readyz", kReadiness)},
    {"resources", Json::object()},
    {"securityContext",
     {{"allowPrivilegeEscalation", false},
      {"readOnlyRootFilesystem", true},
      {"capabilities", drop_all_capabilities()}}},
    {"volumeMounts", volume_mounts(blueprint)},
  };
  if (!spec.requests.empty()) container["resources"]["requests"] = spec.requests;
  if (!spec.limits.empty()) container["resources"]["limits"] = spec.limits;
  if (auto sources = environment_sources(spec); !sources.empty()) container["envFrom"] = std::move(sources);
  say_where_messages_end(container);
  return container;
}

/// Kubelet makes the folder for root, and fsGroup reaches neither host paths nor most shared volumes. Not recursive: what
/// is in the folder is the relay's already.
Json spool_owner_container(const Blueprint& blueprint) {
  const auto owner = std::to_string(kUser) + ":" + std::to_string(kUser);
  auto capabilities = drop_all_capabilities();
  capabilities["add"] = Json::array({"CHOWN"});
  Json container{
    {"name", "spool-owner"},
    {"image", blueprint.image},
    {"imagePullPolicy", blueprint.relay.spec.image_pull_policy},
    {"command", Json::array({"chown", owner, kSpoolFolder})},
    {"resources", {{"requests", {{"cpu", "10m"}, {"memory", "16Mi"}}}, {"limits", {{"memory", "64Mi"}}}}},
    {"securityContext",
     {{"runAsUser", 0},
      {"runAsGroup", 0},
      {"runAsNonRoot", false},
      {"allowPrivilegeEscalation", false},
      {"readOnlyRootFilesystem", true},
      {"capabilities", capabilities}}},
    {"volumeMounts", Json::array({spool_mount(blueprint)})},
  };
  if (blueprint.relay.spec.spool_type == "PersistentVolumeClaim")
    container["env"] = Json::array({node_name()});
  say_where_messages_end(container);
  return container;
}

Json pod_spec(const Blueprint& blueprint) {
  const auto& spec = blueprint.relay.spec;
  const auto account = service_account_name(blueprint.relay);
  Json pod{
    {"containers", Json::array({relay_container(blueprint)})},
    {"volumes", volumes(blueprint)},
    {"restartPolicy", "Always"},
    {"schedulerName", "default-scheduler"},
    {"terminationGracePeriodSeconds",
     grace_period(blueprint.drain_time + blueprint.flush_time.value_or(std::chrono::milliseconds{0}))},
    // The node's resolver: mail must not depend on the cluster's DNS, nor look names up in cluster domains first.
    {"dnsPolicy", "Default"},
    // A Service named smtp-relay would put SMTP_RELAY_PORT into the environment, which the relay refuses to know.
    {"enableServiceLinks", false},
    {"automountServiceAccountToken", false},
    {"serviceAccountName", account},
    {"serviceAccount", account},
    {"securityContext",
     {{"runAsNonRoot", true},
      {"runAsUser", kUser},
      {"runAsGroup", kUser},
      {"fsGroup", kUser},
      {"fsGroupChangePolicy", "OnRootMismatch"},
      {"seccompProfile", {{"type", "RuntimeDefault"}}}}},
  };
  if (spec.spool_type != "EmptyDir") pod["initContainers"] = Json::array({spool_owner_container(blueprint)});
  if (!spec.image_pull_secrets.empty()) pod["imagePullSecrets"] = spec.image_pull_secrets;
  place(spec, blueprint.exclusions, pod);
  return pod;
}

}  // namespace

Json container_ports(const api::Spec& spec) {
  auto ports = Json::array({
    port(kSmtpPortName, kSmtpPort, spec, spec.port),
    port("http-health", kHealthPort, spec, spec.health_host_port),
    port(kMetricsPortName, kMetricsPort, spec, std::nullopt),
  });
  int number = kFirstListenerPort;
  for (const auto& listener : spec.listeners)
    ports.push_back(port(port_name(listener), number++, spec, listener.port));
  return ports;
}

std::string host_name(const api::Spec& spec) {
  if (spec.helo_from == "Static") return spec.helo_name;
  if (spec.helo_domain_suffix.empty()) return "";
  return "$(" + std::string(kNodeNameVariable) + ")." + spec.helo_domain_suffix;
}

std::int64_t grace_period(std::chrono::milliseconds drain_time) {
  return std::chrono::ceil<std::chrono::seconds>(drain_time + std::chrono::seconds{5}).count();
}

Json pod_template(const Blueprint& blueprint) {
  const auto& spec = blueprint.relay.spec;
  auto annotations = spec.pod_annotations;
  annotations.update({
    {"prometheus.io/scrape", "true"},
    {"prometheus.io/port", std::to_string(kMetricsPort)},
    {"prometheus.io/path", "/metrics"},
    {kSettingsAnnotation, settings_key(spec, blueprint.trust_anchors)},
  });
  if (!blueprint.environment_hash.empty()) annotations[kEnvironmentAnnotation] = blueprint.environment_hash;
  if (blueprint.flush_time) annotations[kFlushAnnotation] = relay::to_text(*blueprint.flush_time);
  auto all_labels = spec.pod_labels;
  all_labels.update(labels(blueprint.relay));
  return {
    {"metadata", {{"labels", all_labels}, {"annotations", annotations}}},
    {"spec", pod_spec(blueprint)},
  };
}

}  // namespace op::resources
