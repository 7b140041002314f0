#include "operator/resources/relay_settings.hpp"

#include <algorithm>
#include <array>

#include "relay/base/network.hpp"
#include "relay/base/text.hpp"

namespace op::resources {
namespace {

using api::Spec;

std::string path(std::string_view folder, std::string_view file) {
  return std::string(folder) + "/" + std::string(file);
}

template <int Port>
Json anywhere(const Spec&) {
  return "0.0.0.0:" + std::to_string(Port);
}
Json loopback_admin(const Spec&) { return "127.0.0.1:" + std::to_string(kAdminPort); }
Json spool_path(const Spec&) { return kSpoolFolder; }
Json passwd_client(const Spec&) { return path(kPasswdFolder, kPasswdFile); }
Json pod_annotations(const Spec&) { return path(kPodInfoFolder, "annotations"); }

Json smarthost(const Spec& spec) {
  if (spec.smarthosts.empty()) return {};
  return relay::Endpoint{spec.smarthosts.front().host, spec.smarthosts.front().port}.to_text();
}
Json smarthost_tls(const Spec& spec) {
  if (spec.smarthosts.empty()) return {};
  return relay::lower(spec.smarthosts.front().tls_mode);
}
Json smarthost_ca(const Spec& spec) {
  if (spec.smarthosts.empty() || !spec.smarthosts.front().ca) return {};
  return path(kAuthorityFolder, kAuthorityFile);
}

template <auto Member>
Json field(const Spec& spec) {
  return spec.*Member;
}

struct Row {
  std::string_view key;         // in relay.json
  std::string_view spec_field;  // where the user said so; empty: nowhere
  Json (*value)(const Spec&);   // null: not written
};

constexpr std::array kRows{
  Row{"listen", "", anywhere<kSmtpPort>},
  Row{"http_listen", "", anywhere<kHealthPort>},
  Row{"metrics_listen", "", anywhere<kMetricsPort>},
  Row{"admin_listen", "", loopback_admin},
  Row{"spool_path", "", spool_path},
  Row{"spool_max_size", "spec.spool.maxSize", field<&Spec::spool_max_size>},
  Row{"spool_min_free_percent", "spec.spool.minFreePercent", field<&Spec::spool_min_free_percent>},
  Row{"allowed_networks", "spec.access.allowedNetworks", field<&Spec::allowed_networks>},
  Row{"proxy_trusted", "spec.network.proxyProtocol.trustedNetworks", field<&Spec::proxy_trusted>},
  Row{"hidden_sources", "spec.access.hiddenSources", field<&Spec::hidden_sources>},
  Row{"smarthost", "spec.smarthosts[0].host", smarthost},
  Row{"smarthost_tls", "spec.smarthosts[0].tls.mode", smarthost_tls},
  Row{"smarthost_ca", "", smarthost_ca},
  Row{"passwd_client", "", passwd_client},
  Row{"max_message_size", "spec.limits.maxMessageSize", field<&Spec::max_message_size>},
  Row{"retry_initial_delay", "spec.retry.initialDelay", field<&Spec::retry_initial_delay>},
  Row{"retry_max_delay", "spec.retry.maxDelay", field<&Spec::retry_max_delay>},
  Row{"retry_max_age", "spec.retry.maxAge", field<&Spec::retry_max_age>},
  Row{"lame_duck", "spec.drain.lameDuck", field<&Spec::lame_duck>},
  Row{"session_drain_timeout", "spec.drain.sessionTimeout", field<&Spec::session_timeout>},
  Row{"pod_annotations", "", pod_annotations},
};

}  // namespace

std::string relay_settings(const api::SmtpRelay& relay) {
  nlohmann::ordered_json settings;
  for (const auto& row : kRows) {
    if (const auto value = row.value(relay.spec); !value.is_null()) settings[std::string(row.key)] = value;
  }
  return settings.dump(2) + "\n";
}

std::string_view field_of_setting(std::string_view key) {
  for (const auto& row : kRows) {
    if (row.key == key) return row.spec_field;
  }
  return {};
}

bool is_fixed_by_the_pod(std::string_view key) {
  return std::any_of(kRows.begin(), kRows.end(), [&](const Row& row) {
    return row.key == key && row.spec_field.empty();
  });
}

}  // namespace op::resources
