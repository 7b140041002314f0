#pragma once
/// NAME      config -- the settings table, and the values that come out of it
/// USES      smtp, policy, queue, mail, base
/// INVARIANT pure; one row a setting: parser, validator, --print-config, docs/configuration.md and the
///           operator's renderer all come from that row
/// FAILURES  every fault of a configuration at once, each with its key, its value and what is accepted

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "relay/base/log.hpp"
#include "relay/base/network.hpp"
#include "relay/base/units.hpp"
#include "relay/policy/guard.hpp"
#include "relay/policy/rules.hpp"
#include "relay/queue/retry_schedule.hpp"
#include "relay/queue/token_bucket.hpp"
#include "relay/smtp/client_session.hpp"
#include "relay/smtp/server_session.hpp"

namespace relay::config {

enum class Durability : std::uint8_t {
  strict,   ///< 250 only after the sync
  relaxed,  ///< 250 before it: a power cut may lose what was accepted in the last moments
};
enum class TlsVersion : std::uint8_t { tls1_2, tls1_3 };
enum class Switch : std::uint8_t { off, on };
/// How addresses stand in log records.
enum class AddressLog : std::uint8_t { plain, redacted };
/// What else than a relay that can't take mail makes /health answer 503.
enum class HealthFault : std::uint8_t {
  smarthost_down,       ///< mail waits, and no host for it can be used
  credentials_refused,  ///< a smarthost refuses ours
};

/// Where a smarthost's credentials come from, and how they are shown.
enum class AuthMechanism : std::uint8_t {
  passwd_client,  ///< the line for its host in `passwd_client`, if there is one; the best mechanism offered
  none,
  any,  ///< from files, as all below; the best mechanism offered
  plain,
  login,
  scram_sha_256,
  xoauth2,  ///< a token of `token_url`
};

/// TLS towards the mail servers of a recipient's domain.
enum class MxTls : std::uint8_t {
  none,
  opportunistic,  ///< STARTTLS where offered, any certificate
  policy,         ///< as opportunistic, and what the domain asks for by DANE (RFC 7672) or MTA-STS (RFC 8461)
  required,       ///< verified by DANE or MTA-STS, or else by certificate and name, or no delivery
};

/// TLS of clients, by STARTTLS.
enum class ClientTls : std::uint8_t {
  none,
  opportunistic,  ///< offered where there is a certificate
  required,       ///< no mail without it
};

/// TLS of a listener's clients.
enum class ListenerTls : std::uint8_t {
  none,
  optional,  ///< STARTTLS, offered where there is a certificate
  required,  ///< STARTTLS, and no mail without it
  implicit,  ///< before the greeting (RFC 8314 section 3.3)
};
enum class ListenerAuth : std::uint8_t {
  optional,
  required,  ///< no mail of anybody who has not logged in
};

/// Where SMTP is answered besides `listen`, by rules of its own. What it does not say is as for `listen`.
struct Listener {
  std::string name;
  std::vector<Endpoint> listen;
  ListenerTls tls = ListenerTls::optional;
  ListenerAuth auth = ListenerAuth::optional;
  Networks allowed_networks;  ///< empty: those of all
  Switch proxy_protocol = Switch::on;
  friend bool operator==(const Listener&, const Listener&) = default;
};

/// One host that mail may be handed to.
struct Smarthost {
  std::string name;
  std::string host;
  std::uint64_t port = 0;
  std::uint64_t priority = 0;
  std::uint64_t weight = 0;
  std::vector<std::string> recipient_domains;
  std::vector<std::string> sender_domains;
  smtp::TlsMode tls = smtp::TlsMode::required;
  TlsVersion tls_min_version = TlsVersion::tls1_2;
  std::string server_name;
  std::string ca;
  std::string client_certificate;
  std::string client_key;
  AuthMechanism auth = AuthMechanism::passwd_client;
  std::string username_file;
  std::string password_file;
  std::string token_url;
  std::string token_scope;
  std::string client_id_file;
  std::string client_secret_file;
  std::string refresh_token_file;
  std::uint64_t max_connections = 0;
  std::uint64_t messages_per_connection = 0;
  milliseconds connect_timeout{};
  std::optional<queue::Rate> message_rate;
  friend bool operator==(const Smarthost&, const Smarthost&) = default;
};

/// One signature under each message of a domain.
struct DkimKey {
  std::string domain;
  std::string selector;
  std::string key;
  std::vector<std::string> senders;
  std::vector<std::string> headers;
  std::string canonicalization;
  std::optional<milliseconds> expires;
  friend bool operator==(const DkimKey&, const DkimKey&) = default;
};

/// How domains that mail is delivered to by MX are treated. What is not set is as for all.
struct DestinationRule {
  std::vector<std::string> domains;
  std::vector<std::string> providers;
  std::optional<std::uint64_t> max_connections;
  std::optional<queue::Rate> message_rate;
  std::optional<queue::Rate> connection_rate;
  std::optional<milliseconds> retry_initial_delay;
  std::optional<milliseconds> retry_max_delay;
  std::optional<milliseconds> retry_max_age;
  std::optional<milliseconds> retry_warn_after;
  std::optional<MxTls> tls;
  std::string source_pool;
  friend bool operator==(const DestinationRule&, const DestinationRule&) = default;
};

/// Domains whose mail servers are the same company's, and what all of them get together.
struct Provider {
  std::string name;
  std::vector<std::string> mx;
  std::uint64_t max_connections = 0;
  std::optional<queue::Rate> message_rate;
  friend bool operator==(const Provider&, const Provider&) = default;
};

/// An address of this machine to send from.
struct Source {
  std::string name;
  std::string pool;
  std::string address;
  std::uint64_t weight = 0;
  std::string helo_name;
  std::vector<std::uint64_t> messages_a_day;
  std::string warm_up_from;
  friend bool operator==(const Source&, const Source&) = default;
};

/// A rule on mail that comes in, as policy::Rule has it; text that is not given is empty.
struct PolicyRule {
  std::string name;
  Networks clients;
  std::vector<std::string> listeners;
  std::vector<std::string> users;
  std::optional<Switch> authenticated;
  std::vector<std::string> helo;
  std::vector<std::string> senders;
  std::vector<std::string> recipients;
  std::optional<Switch> tls;
  std::optional<Octets> larger_than;
  std::string header;
  std::string header_value;
  policy::Action action = policy::Action::accept;
  std::string reply;
  std::string redirect_to;
  std::string smarthost;
  std::optional<queue::Rate> limit_rate;
  std::optional<policy::LimitKey> limit_key;
  std::optional<policy::LimitUnit> limit_unit;
  std::string field_name;
  std::string field_value;
  std::string new_sender;
  std::optional<Switch> new_from;
  std::optional<mail::Priority> priority;
  std::string copy_to;
  friend bool operator==(const PolicyRule&, const PolicyRule&) = default;
};

/// Who may send as whom, as policy::SenderBinding has it.
struct SenderBinding {
  std::string name;
  std::vector<std::string> users;
  Networks clients;
  std::vector<std::string> senders;
  Switch header_from = Switch::off;
  friend bool operator==(const SenderBinding&, const SenderBinding&) = default;
};

/// What becomes of a message that a content filter could not be asked about.
enum class MilterFailure : std::uint8_t { defer, accept, reject };

/// A content filter that speaks the milter protocol.
struct Milter {
  std::string name;
  std::string host;
  std::uint64_t port = 0;
  MilterFailure on_failure = MilterFailure::defer;
  milliseconds connect_timeout{};
  milliseconds command_timeout{};
  milliseconds message_timeout{};
  friend bool operator==(const Milter&, const Milter&) = default;
};

/// All settings with their values. Defaults are the table's (reference.cpp), not the members'.
struct Settings {
  std::string hostname;
  std::vector<Endpoint> listen;
  std::vector<Listener> listeners;
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
  std::string hidden_sources_file;
  Networks host_addresses;
  std::vector<PolicyRule> policies;
  std::vector<SenderBinding> sender_bindings;
  policy::Mode mode = policy::Mode::deliver;
  std::string mode_redirect_to;
  std::vector<std::string> mode_allowed;
  policy::Others mode_others = policy::Others::capture;
  std::string mend_unqualified_domain;
  Switch mend_date = Switch::off;
  Switch mend_message_id = Switch::off;
  Switch mend_from = Switch::off;
  Switch received_hides_client = Switch::off;
  std::vector<Milter> milters;
  ClientTls tls_mode = ClientTls::opportunistic;
  std::string tls_certificate_file;
  std::string tls_key_file;
  TlsVersion tls_min_version = TlsVersion::tls1_2;
  std::string auth_users_file;
  Switch auth_requires_tls = Switch::on;
  std::uint64_t auth_failures_per_client = 0;
  std::vector<Endpoint> smarthost;  ///< one or none
  smtp::TlsMode smarthost_tls = smtp::TlsMode::required;
  std::string smarthost_ca;
  std::vector<Smarthost> smarthosts;
  std::string passwd_client;
  MxTls mx_tls = MxTls::policy;
  std::uint64_t mx_max_connections = 0;
  Networks mx_allowed_networks;
  std::string mx_ca;
  std::vector<std::string> dns_trust_anchors;
  std::vector<DestinationRule> destinations;
  std::vector<Provider> providers;
  std::vector<Source> sources;
  std::vector<DkimKey> dkim;
  std::vector<std::string> bulk_senders;
  std::vector<std::string> bulk_headers;
  std::string bounce_from;
  Octets bounce_max_size;
  queue::Rate bounce_rate;
  milliseconds dead_letter_max_age{};
  std::string tls_report_from;
  log::Level log_level = log::Level::info;
  AddressLog log_addresses = AddressLog::plain;
  std::string log_redaction_key;
  Octets max_message_size;
  std::uint64_t max_recipients = 0;
  std::uint64_t max_connections = 0;
  std::uint64_t max_connections_per_client = 0;
  smtp::BareLineEndings bare_line_endings = smtp::BareLineEndings::normalize;
  milliseconds session_idle_timeout{};
  std::uint64_t delivery_connections = 0;
  std::uint64_t delivery_connections_total = 0;
  std::uint64_t delivery_messages_total = 0;
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
  queue::Factor retry_multiplier;
  milliseconds retry_max_age{};
  milliseconds retry_warn_after{};
  milliseconds mx_retry_initial_delay{};
  std::vector<HealthFault> health_fail_on;
  milliseconds lame_duck{};
  milliseconds session_drain_timeout{};
  milliseconds flush_timeout{};
  Octets content_memory;
  std::uint64_t shards = 0;
  std::string pod_annotations;
  std::string node_name;
  std::string pod_name;
  std::string pod_namespace;
  friend bool operator==(const Settings&, const Settings&) = default;
};

/// Whether a certificate can be of use: STARTTLS or implicit TLS is to be had somewhere.
[[nodiscard]] bool wants_client_tls(const Settings& settings);
/// Whether listeners of one are not there, or elsewhere, in the other: what a running relay can't change.
[[nodiscard]] bool listen_elsewhere(const std::vector<Listener>& one, const std::vector<Listener>& other);

/// `smarthosts`, or the one that `smarthost` stands for, by the name `default`.
[[nodiscard]] std::vector<Smarthost> all_smarthosts(const Settings& settings);

}  // namespace relay::config
