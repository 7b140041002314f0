#pragma once
/// NAME      config -- the settings table, and the values that come out of it
/// USES      smtp, policy, queue, mail, base
/// INVARIANT pure; one row a setting: parser, validator, --print-config, docs/configuration.md and the
///           operator's renderer all come from that row
/// FAILURES  every fault of a configuration at once, each with its key, its value and what is accepted

#include <cstdint>
#include <string>
#include <vector>

#include "relay/base/network.hpp"
#include "relay/base/units.hpp"
#include "relay/smtp/client_session.hpp"
#include "relay/smtp/server_session.hpp"

namespace relay::config {

enum class Durability : std::uint8_t {
  strict,   ///< 250 only after the sync
  relaxed,  ///< 250 before it: a power cut may lose what was accepted in the last moments
};

/// All settings with their values. Defaults are the table's (reference.cpp), not the members'.
struct Settings {
  std::string hostname;
  std::vector<Endpoint> listen;
  std::vector<Endpoint> http_listen;
  std::vector<Endpoint> metrics_listen;
  std::vector<Endpoint> admin_listen;
  std::string spool_path;
  Octets spool_max_size;
  std::uint64_t spool_min_free_percent = 0;
  Durability durability = Durability::strict;
  Networks allowed_networks;
  Networks proxy_trusted;
  Networks hidden_sources;
  Networks host_addresses;
  std::vector<Endpoint> smarthost;  ///< one or none
  smtp::TlsMode smarthost_tls = smtp::TlsMode::required;
  std::string smarthost_ca;
  std::string passwd_client;
  Octets max_message_size;
  std::uint64_t max_recipients = 0;
  std::uint64_t max_connections = 0;
  smtp::BareLineEndings bare_line_endings = smtp::BareLineEndings::normalize;
  milliseconds session_idle_timeout{};
  std::uint64_t delivery_connections = 0;
  std::uint64_t messages_per_connection = 0;
  milliseconds connection_idle_time{};
  milliseconds connect_timeout{};
  milliseconds banner_timeout{};
  milliseconds command_timeout{};
  milliseconds data_init_timeout{};
  milliseconds data_block_timeout{};
  milliseconds data_end_timeout{};
  milliseconds retry_initial_delay{};
  milliseconds retry_max_delay{};
  milliseconds retry_max_age{};
  milliseconds lame_duck{};
  milliseconds session_drain_timeout{};
  Octets content_memory;
  std::uint64_t shards = 0;
  std::string pod_annotations;
  std::string node_name;
  std::string pod_name;
  std::string pod_namespace;
  friend bool operator==(const Settings&, const Settings&) = default;
};

}  // namespace relay::config
