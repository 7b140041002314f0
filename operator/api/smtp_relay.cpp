#include "operator/api/smtp_relay.hpp"

#include "operator/api/fields.hpp"

namespace op::api {
namespace {

/// A quantity may be written as a number; the API server keeps text.
void read_quantities(const Fields& from, const char* key, Json& target) {
  from.read(key, target);
  for (auto& quantity : target) {
    if (quantity.is_number()) quantity = quantity.dump();
  }
}

void parse_image(const Fields& from, Spec& spec) {
  from.read("image", spec.image);
  from.read("imagePullPolicy", spec.image_pull_policy);
  from.read("imagePullSecrets", spec.image_pull_secrets);
}

Listener parse_listener(const Fields& from) {
  Listener listener;
  from.read("name", listener.name);
  from.read("port", listener.port);
  from.read("tls", listener.tls);
  from.read("auth", listener.auth);
  from.read("allowedNetworks", listener.allowed_networks);
  from.read("proxyProtocol", listener.proxy_protocol);
  return listener;
}

void parse_network(const Fields& network, Spec& spec) {
  network.read("mode", spec.network_mode);
  network.read("port", spec.port);
  network.each("listeners", [&](const Fields& item) { spec.listeners.push_back(parse_listener(item)); });
  network.read("hostIP", spec.host_ip);
  const auto service = network.inner("service");
  service.read("type", spec.service_type);
  service.read("internalTrafficPolicy", spec.service_internal_traffic);
  network.inner("proxyProtocol").read("trustedNetworks", spec.proxy_trusted);
}

void parse_mode(const Fields& from, Spec& spec) {
  from.read("mode", spec.mode);
  from.read("redirectTo", spec.redirect_to);
  const auto allowlist = from.inner("allowlist");
  allowlist.read("recipients", spec.allowed);
  allowlist.read("others", spec.others);
}

void parse_mending(const Fields& mending, Spec& spec) {
  mending.read("unqualifiedDomain", spec.unqualified_domain);
  mending.read("addMissingDate", spec.adds_missing_date);
  mending.read("addMissingMessageId", spec.adds_missing_message_id);
  mending.read("addMissingFrom", spec.adds_missing_from);
  mending.read("hideClientAddress", spec.hides_client_address);
}

void parse_mail(const Fields& from, Spec& spec) {
  const auto helo = from.inner("helo");
  helo.read("from", spec.helo_from);
  helo.read("name", spec.helo_name);
  helo.read("domainSuffix", spec.helo_domain_suffix);
  const auto access = from.inner("access");
  access.read("allowedNetworks", spec.allowed_networks);
  access.read("hiddenSources", spec.hidden_sources);
  access.each("senderBindings", [&](const Fields& item) {
    spec.sender_bindings.push_back(parse_sender_binding(item));
  });
  const auto tls = from.inner("tls");
  tls.read("mode", spec.tls_mode);
  tls.read("minVersion", spec.tls_min_version);
  tls.inner("secretRef").read("name", spec.tls_certificate);
  const auto auth = from.inner("auth");
  spec.auth_users = parse_secret(auth, "secretRef", "users");
  auth.read("requireTls", spec.auth_requires_tls);
  from.each("smarthosts", [&](const Fields& item) { spec.smarthosts.push_back(parse_smarthost(item)); });
  spec.passwd_client = parse_secret(from, "passwdClientSecretRef", "passwd.client");
  spec.delivery = parse_delivery(from.inner("delivery"));
  from.each("policies", [&](const Fields& item) { spec.policies.push_back(parse_policy(item)); });
  from.inner("receive").each("milters", [&](const Fields& item) {
    spec.milters.push_back(parse_milter(item));
  });
  from.each("dkim", [&](const Fields& item) { spec.dkim.push_back(parse_dkim(item)); });
  spec.bounces = parse_bounces(from.inner("bounces"));
  from.inner("tlsReports").read("from", spec.tls_reports_from);
  from.each("envFrom", [&](const Fields& item) {
    item.inner("configMapRef").read("name", spec.env_from.emplace_back());
  });
  const auto limits = from.inner("limits");
  limits.read("maxMessageSize", spec.max_message_size);
  limits.read("maxRecipients", spec.max_recipients);
  limits.read("maxConnections", spec.max_connections);
  limits.read("maxConnectionsPerClient", spec.max_connections_per_client);
  limits.read("sessionTimeout", spec.session_idle_timeout);
  const auto retry = from.inner("retry");
  retry.read("initialDelay", spec.retry_initial_delay);
  retry.read_number("multiplier", spec.retry_multiplier);
  retry.read("maxDelay", spec.retry_max_delay);
  retry.read("maxAge", spec.retry_max_age);
  retry.read("mxInitialDelay", spec.retry_mx_initial_delay);
  retry.read("warnAfter", spec.retry_warn_after);
}

void parse_operation(const Fields& from, Spec& spec) {
  from.read("managementState", spec.management_state);
  const auto spool = from.inner("spool");
  spool.read("type", spec.spool_type);
  spool.read("claimName", spec.spool_claim);
  spool.read("onDelete", spec.spool_on_delete);
  spool.read("maxSize", spec.spool_max_size);
  spool.read("minFreePercent", spec.spool_min_free_percent);
  const auto health = from.inner("health");
  health.read("hostPort", spec.health_host_port);
  health.read("failOn", spec.health_fail_on);
  const auto metrics = from.inner("metrics");
  metrics.read("podMonitor", spec.pod_monitor);
  metrics.read("rules", spec.rules);
  metrics.read("dashboard", spec.dashboard);
  from.read("networkPolicy", spec.network_policy);
  const auto drain = from.inner("drain");
  drain.read("lameDuck", spec.lame_duck);
  drain.read("sessionTimeout", spec.session_timeout);
  drain.read("flushTimeout", spec.flush_timeout);
  drain.read("cordonAware", spec.cordon_aware);
  const auto logging = from.inner("logging");
  logging.read("level", spec.log_level);
  logging.read("redactAddresses", spec.redacts_addresses);
  spec.redaction_key = parse_secret(logging, "keySecretRef", "key");
}

void parse_pods(const Fields& from, Spec& spec) {
  from.read("serviceAccountName", spec.service_account_name);
  const auto rollout = from.inner("rollout");
  rollout.read_int_or_string("maxUnavailable", spec.max_unavailable);
  rollout.read("minReadySeconds", spec.min_ready_seconds);
  rollout.read("stallAfter", spec.stall_after);
  const auto metadata = from.inner("podMetadata");
  metadata.read("labels", spec.pod_labels);
  metadata.read("annotations", spec.pod_annotations);
}

void parse_scheduling(const Fields& from, Spec& spec) {
  from.read("nodeSelector", spec.node_selector);
  from.read("tolerations", spec.tolerations);
  from.read("nodeAffinity", spec.node_affinity);
  from.read("priorityClassName", spec.priority_class_name);
  from.read("runtimeClassName", spec.runtime_class_name);
  const auto resources = from.inner("resources");
  read_quantities(resources, "requests", spec.requests);
  read_quantities(resources, "limits", spec.limits);
}

SmtpRelay parse(const Json& object) {
  const Fields root(object, "");
  SmtpRelay parsed;
  const auto metadata = root.inner("metadata");
  metadata.read("namespace", parsed.name_space);
  metadata.read("name", parsed.name);
  metadata.read("uid", parsed.uid);
  metadata.read("resourceVersion", parsed.resource_version);
  metadata.read("generation", parsed.generation);
  const auto spec = root.inner("spec");
  parse_image(spec, parsed.spec);
  parse_network(spec.inner("network"), parsed.spec);
  parse_mail(spec, parsed.spec);
  parse_mode(spec, parsed.spec);
  parse_mending(spec.inner("receive").inner("mending"), parsed.spec);
  parse_operation(spec, parsed.spec);
  parse_pods(spec, parsed.spec);
  parse_scheduling(spec, parsed.spec);
  parsed.status = parse_status(object.value("status", Json::object()));
  return parsed;
}

}  // namespace

relay::Result<SmtpRelay> parse_smtp_relay(const Json& object) {
  try {
    return parse(object);
  } catch (const WrongType& wrong) {
    return relay::permanent(relay::Errc::invalid_argument, wrong.what());
  }
}

}  // namespace op::api
