#include "operator/resources/relay_settings.hpp"

#include <algorithm>
#include <array>

#include "operator/resources/outgoing_settings.hpp"
#include "operator/resources/policy_settings.hpp"
#include "operator/resources/receive_settings.hpp"
#include "relay/base/text.hpp"

namespace op::resources {
namespace {

using api::Bounces;
using api::Delivery;
using api::Spec;

std::string snake_case(std::string_view words) {
  std::string text;
  for (const char c : words) {
    const char small = relay::ascii_lower(c);
    if (small != c && !text.empty()) text += '_';
    text += small;
  }
  return text;
}

std::string path(std::string_view folder, std::string_view file) {
  return std::string(folder) + "/" + std::string(file);
}

template <int Port>
OrderedJson anywhere(const Spec&) {
  return "0.0.0.0:" + std::to_string(Port);
}
OrderedJson listeners(const Spec& spec) {
  OrderedJson list;
  int port = kFirstListenerPort;
  for (const auto& listener : spec.listeners) {
    OrderedJson one{{"name", listener.name}, {"listen", {"0.0.0.0:" + std::to_string(port++)}}};
    one["tls"] = relay::lower(listener.tls);
    one["auth"] = relay::lower(listener.auth);
    if (!listener.allowed_networks.empty()) one["allowed_networks"] = listener.allowed_networks;
    if (!listener.proxy_protocol) one["proxy_protocol"] = "off";
    list.push_back(std::move(one));
  }
  return list;
}
OrderedJson loopback_admin(const Spec&) { return "127.0.0.1:" + std::to_string(kAdminPort); }
OrderedJson spool_path(const Spec&) { return kSpoolFolder; }
OrderedJson passwd_client(const Spec&) { return path(kPasswdFolder, kPasswdFile); }
OrderedJson pod_annotations(const Spec&) { return path(kPodInfoFolder, "annotations"); }

OrderedJson file(const std::optional<api::KeyReference>& key) {
  return key ? OrderedJson(path_of(*key)) : OrderedJson();
}
OrderedJson tls_mode(const Spec& spec) {
  static const Spec usual;
  return spec.tls_mode == usual.tls_mode ? OrderedJson() : OrderedJson(relay::lower(spec.tls_mode));
}
OrderedJson tls_file(const Spec& spec, const char* key) {
  if (spec.tls_certificate.empty()) return {};
  return path_of({api::KeyReference::Kind::secret, spec.tls_certificate, key});
}
OrderedJson tls_certificate_file(const Spec& spec) { return tls_file(spec, kCertificateKey); }
OrderedJson tls_key_file(const Spec& spec) { return tls_file(spec, kPrivateKeyKey); }
OrderedJson auth_users_file(const Spec& spec) { return file(spec.auth_users); }
OrderedJson auth_requires_tls(const Spec& spec) {
  return spec.auth_requires_tls ? OrderedJson() : OrderedJson("off");
}
OrderedJson mx_tls(const Spec& spec) { return relay::lower(spec.delivery.mx_tls); }
OrderedJson mx_ca(const Spec& spec) { return file(spec.delivery.ca); }
OrderedJson log_addresses(const Spec& spec) { return spec.redacts_addresses ? "redacted" : "plain"; }
OrderedJson log_redaction_key(const Spec& spec) { return file(spec.redaction_key); }
/// `SmarthostDown` is `smarthost_down` there.
OrderedJson health_fail_on(const Spec& spec) {
  auto faults = OrderedJson::array();
  for (const auto& fault : spec.health_fail_on) faults.push_back(snake_case(fault));
  return faults.empty() ? OrderedJson() : faults;
}
/// What only another mode needs is written all the same: the mode may come through `envFrom`.
OrderedJson mode(const Spec& spec) {
  static const Spec usual;
  return spec.mode == usual.mode ? OrderedJson() : OrderedJson(snake_case(spec.mode));
}
OrderedJson mode_others(const Spec& spec) {
  static const Spec usual;
  return spec.others == usual.others ? OrderedJson() : OrderedJson(snake_case(spec.others));
}
template <auto Member>
OrderedJson on_if(const Spec& spec) {
  return spec.*Member ? OrderedJson("on") : OrderedJson();
}
OrderedJson filled_in_later(const Spec&) { return {}; }
/// Relays of older images do not know it, and those that do look where the pod has it.
OrderedJson its_default(const Spec&) { return {}; }

OrderedJson unless_empty(const std::string& text) { return text.empty() ? OrderedJson() : OrderedJson(text); }
OrderedJson bounce_from(const Spec& spec) { return unless_empty(spec.bounces.from); }
OrderedJson tls_report_from(const Spec& spec) { return unless_empty(spec.tls_reports_from); }

template <auto Member>
OrderedJson field(const Spec& spec) {
  return spec.*Member;
}
/// For settings that relays of older images don't know, and refuse: who does not use them may keep such an image. The
/// relay's default is the same.
template <auto Member>
OrderedJson unless_default(const Spec& spec) {
  static const Spec usual;
  return spec.*Member == usual.*Member ? OrderedJson() : OrderedJson(spec.*Member);
}
template <auto Member>
OrderedJson of_delivery(const Spec& spec) {
  return spec.delivery.*Member;
}
template <auto Member>
OrderedJson of_bounces(const Spec& spec) {
  return spec.bounces.*Member;
}

struct Row {
  std::string_view key;               // in relay.json
  std::string_view spec_field;        // where the user said so; empty: nowhere
  OrderedJson (*value)(const Spec&);  // null: not written
  bool is_of_the_pod = false;         // it names what the pod was made with
};
constexpr bool kMount = true;
constexpr bool kPorts = true;
constexpr std::string_view kTrustAnchors = "dns_trust_anchors";

constexpr std::array kRows{
  Row{"listen", "", anywhere<kSmtpPort>},
  Row{"listeners", "spec.network.listeners", listeners, kPorts},
  Row{"http_listen", "", anywhere<kHealthPort>},
  Row{"metrics_listen", "", anywhere<kMetricsPort>},
  Row{"admin_listen", "", loopback_admin},
  Row{"spool_path", "", spool_path},
  Row{"spool_max_size", "spec.spool.maxSize", field<&Spec::spool_max_size>},
  Row{"spool_min_free_percent", "spec.spool.minFreePercent", field<&Spec::spool_min_free_percent>},
  Row{"allowed_networks", "spec.access.allowedNetworks", field<&Spec::allowed_networks>},
  Row{"proxy_trusted", "spec.network.proxyProtocol.trustedNetworks", field<&Spec::proxy_trusted>},
  Row{"hidden_sources", "spec.access.hiddenSources", field<&Spec::hidden_sources>},
  Row{"policies", "spec.policies", policies},
  Row{"sender_bindings", "spec.access.senderBindings", sender_bindings},
  Row{"mode", "spec.mode", mode},
  Row{"mode_redirect_to", "spec.redirectTo", unless_default<&Spec::redirect_to>},
  Row{"mode_allowed", "spec.allowlist.recipients", unless_default<&Spec::allowed>},
  Row{"mode_others", "spec.allowlist.others", mode_others},
  Row{"mend_unqualified_domain", "spec.receive.mending.unqualifiedDomain", unless_default<&Spec::unqualified_domain>},
  Row{"mend_date", "spec.receive.mending.addMissingDate", on_if<&Spec::adds_missing_date>},
  Row{"mend_message_id", "spec.receive.mending.addMissingMessageId", on_if<&Spec::adds_missing_message_id>},
  Row{"mend_from", "spec.receive.mending.addMissingFrom", on_if<&Spec::adds_missing_from>},
  Row{"received_hides_client", "spec.receive.mending.hideClientAddress", on_if<&Spec::hides_client_address>},
  Row{"milters", "spec.receive.milters", milters},
  Row{"hidden_sources_file", "", its_default},
  Row{"tls_mode", "spec.tls.mode", tls_mode},
  Row{"tls_certificate_file", "spec.tls.secretRef", tls_certificate_file, kMount},
  Row{"tls_key_file", "spec.tls.secretRef", tls_key_file, kMount},
  Row{"tls_min_version", "spec.tls.minVersion", unless_default<&Spec::tls_min_version>},
  Row{"auth_users_file", "spec.auth.secretRef", auth_users_file, kMount},
  Row{"auth_requires_tls", "spec.auth.requireTls", auth_requires_tls},
  Row{"smarthosts", "spec.smarthosts", smarthosts},
  Row{"passwd_client", "", passwd_client},
  Row{"mx_tls", "spec.delivery.mxTls", mx_tls},
  Row{"mx_max_connections", "spec.delivery.maxConnectionsPerDomain", of_delivery<&Delivery::max_connections_per_domain>},
  Row{"mx_allowed_networks", "spec.delivery.allowedPrivateNetworks", of_delivery<&Delivery::allowed_private_networks>},
  Row{"mx_ca", "spec.delivery.caRef", mx_ca, kMount},
  Row{kTrustAnchors, "spec.delivery.trustAnchorsConfigMapRef", filled_in_later, kMount},
  Row{"destinations", "spec.delivery.destinations", destinations},
  Row{"providers", "spec.delivery.providers", providers},
  Row{"sources", "spec.delivery.sources", sources},
  Row{"bulk_senders", "spec.delivery.bulkSenders", of_delivery<&Delivery::bulk_senders>},
  Row{"bulk_headers", "spec.delivery.bulkHeaders", of_delivery<&Delivery::bulk_headers>},
  Row{"delivery_connections_total", "spec.delivery.maxConnections", of_delivery<&Delivery::max_connections>},
  Row{"delivery_messages_total", "spec.delivery.maxMessages", of_delivery<&Delivery::max_messages>},
  Row{"dkim", "spec.dkim", dkim, kMount},
  Row{"bounce_from", "spec.bounces.from", bounce_from},
  Row{"bounce_max_size", "spec.bounces.maxReturned", of_bounces<&Bounces::max_returned>},
  Row{"bounce_rate", "spec.bounces.ratePerSender", of_bounces<&Bounces::rate_per_sender>},
  Row{"dead_letter_max_age", "spec.bounces.deadLetterMaxAge", of_bounces<&Bounces::dead_letter_max_age>},
  Row{"tls_report_from", "spec.tlsReports.from", tls_report_from},
  Row{"log_level", "spec.logging.level", unless_default<&Spec::log_level>},
  Row{"log_addresses", "spec.logging.redactAddresses", log_addresses},
  Row{"log_redaction_key", "spec.logging.keySecretRef", log_redaction_key, kMount},
  Row{"max_message_size", "spec.limits.maxMessageSize", field<&Spec::max_message_size>},
  Row{"max_recipients", "spec.limits.maxRecipients", field<&Spec::max_recipients>},
  Row{"max_connections", "spec.limits.maxConnections", field<&Spec::max_connections>},
  Row{"max_connections_per_client", "spec.limits.maxConnectionsPerClient", unless_default<&Spec::max_connections_per_client>},
  Row{"session_idle_timeout", "spec.limits.sessionTimeout", field<&Spec::session_idle_timeout>},
  Row{"retry_initial_delay", "spec.retry.initialDelay", field<&Spec::retry_initial_delay>},
  Row{"retry_max_delay", "spec.retry.maxDelay", field<&Spec::retry_max_delay>},
  Row{"retry_multiplier", "spec.retry.multiplier", unless_default<&Spec::retry_multiplier>},
  Row{"retry_max_age", "spec.retry.maxAge", field<&Spec::retry_max_age>},
  Row{"retry_warn_after", "spec.retry.warnAfter", field<&Spec::retry_warn_after>},
  Row{"mx_retry_initial_delay", "spec.retry.mxInitialDelay", field<&Spec::retry_mx_initial_delay>},
  Row{"health_fail_on", "spec.health.failOn", health_fail_on},
  Row{"lame_duck", "spec.drain.lameDuck", field<&Spec::lame_duck>},
  Row{"session_drain_timeout", "spec.drain.sessionTimeout", field<&Spec::session_timeout>},
  Row{"flush_timeout", "spec.drain.flushTimeout", unless_default<&Spec::flush_timeout>},
  Row{"pod_annotations", "", pod_annotations},
};

constexpr std::string_view kProtocol = "RFC 5321 4.5.3.2 gives it; through `envFrom`";
constexpr std::string_view kOfThePod = "the pod says it of itself";

constexpr std::array kLeftAlone{
  LeftAlone{"hostname", "`helo`, as a variable of the pod: relays read it at their start alone"},
  LeftAlone{"durability", "250 means kept; who wants it otherwise says so through `envFrom`"},
  LeftAlone{"host_addresses", kOfThePod},
  LeftAlone{"smarthost", "`smarthosts` says it of any number of hosts"},
  LeftAlone{"smarthost_tls", "`smarthosts[].tls`"},
  LeftAlone{"smarthost_ca", "`smarthosts[].tls.caRef`"},
  LeftAlone{"bare_line_endings", "for clients that need it, through `envFrom`"},
  LeftAlone{
    "auth_failures_per_client", "its default lets people mistype and nobody guess; through `envFrom`"
  },
  LeftAlone{"delivery_connections", "`smarthosts[].limits.maxConnections`; it is for `smarthost`"},
  LeftAlone{"messages_per_connection", "`smarthosts[].limits`; for delivery by MX through `envFrom`"},
  LeftAlone{"connect_timeout", "`smarthosts[].limits`; for delivery by MX through `envFrom`"},
  LeftAlone{"connection_idle_time", "its default suits every host; through `envFrom`"},
  LeftAlone{"banner_timeout", kProtocol},
  LeftAlone{"command_timeout", kProtocol},
  LeftAlone{"data_init_timeout", kProtocol},
  LeftAlone{"data_block_timeout", kProtocol},
  LeftAlone{"data_end_timeout", kProtocol},
  LeftAlone{"content_memory", "goes with `resources.limits.memory`; through `envFrom`"},
  LeftAlone{"shards", "one a core, as the container sees them; through `envFrom`"},
  LeftAlone{"node_name", kOfThePod},
  LeftAlone{"pod_name", kOfThePod},
  LeftAlone{"pod_namespace", kOfThePod},
};

/// The one setting that takes more than the resource: which keys its ConfigMap has.
OrderedJson anchor_files(const Spec& spec, const TrustAnchors& anchors) {
  OrderedJson files;
  for (const auto& key : anchor_keys(spec, anchors)) files.push_back(path_of(key));
  return files;
}

}  // namespace

std::string relay_settings(const api::SmtpRelay& relay, const TrustAnchors& anchors) {
  OrderedJson settings;
  for (const auto& row : kRows) {
    auto value = row.key == kTrustAnchors ? anchor_files(relay.spec, anchors) : row.value(relay.spec);
    if (!value.is_null()) settings[std::string(row.key)] = std::move(value);
  }
  return settings.dump(2) + "\n";
}

std::string_view field_of_setting(std::string_view key) {
  for (const auto& row : kRows) {
    if (row.key == key) return row.spec_field;
  }
  return {};
}

std::span<const LeftAlone> settings_left_alone() { return kLeftAlone; }

bool is_fixed_by_the_pod(std::string_view key) {
  return std::any_of(kRows.begin(), kRows.end(), [&](const Row& row) {
    return row.key == key && (row.spec_field.empty() || row.is_of_the_pod);
  });
}

}  // namespace op::resources
