#include "relay/config/reference.hpp"

#include <algorithm>
#include <array>

#include "relay/config/object_tables.hpp"
#include "relay/config/values.hpp"

namespace relay::config {
namespace {

// ---- the table ----

using S = Settings;
#define ROW_ACCESS(member, check) check, get<&S::member>
#define OBJECTS(member, type) set_objects<&S::member>, get_objects<&S::member>, docs_of<type>

constexpr std::string_view kEndpoints = "host:port, several with commas between them";
constexpr std::string_view kNetworks = "networks such as 10.20.0.0/16 or 2001:db8::/32, host bits zero";

const std::array kTable{
  Setting{
    "hostname", Shape::text, "a host name, or nothing for the node's name", "", Reload::restart,
    "The name in the greeting, in EHLO and in `Received:` lines; when empty, `node_name` or the machine's "
    "name.",
    ROW_ACCESS(hostname, host_name<&S::hostname>)
  },
  Setting{
    "listen", Shape::list, kEndpoints, "0.0.0.0:2525", Reload::restart, "Where SMTP is answered.",
    ROW_ACCESS(listen, at_least_one<&S::listen>)
  },
  Setting{
    "listeners", Shape::objects, "a JSON array of at most 8 objects, see below", "", Reload::live,
    "Where SMTP is answered besides, by rules of its own. Names and addresses wait for a restart; until then "
    "one that is "
    "no longer here turns clients away.",
    OBJECTS(listeners, Listener)
  },
  Setting{
    "http_listen", Shape::list, kEndpoints, "0.0.0.0:8025", Reload::restart,
    "Where /livez, /readyz, /health and /node are answered.", ROW_ACCESS(http_listen, any<&S::http_listen>)
  },
  Setting{
    "metrics_listen", Shape::list, kEndpoints, "", Reload::restart,
    "Where /metrics is answered; when empty, on the health listener.",
    ROW_ACCESS(metrics_listen, any<&S::metrics_listen>)
  },
  Setting{
    "admin_listen", Shape::list, "loopback host:port", "127.0.0.1:8026", Reload::restart,
    "Where relayctl asks; every request carries the token from `admin.token` in the spool folder.",
    ROW_ACCESS(admin_listen, loopback<&S::admin_listen>)
  },
  Setting{
    "spool_path", Shape::text, "an absolute path", "/var/spool/smtp-relay", Reload::restart,
    "The folder that keeps accepted mail; on a local disk, for one process alone.",
    ROW_ACCESS(spool_path, absolute_path<&S::spool_path>)
  },
  Setting{
    "spool_max_size", Shape::text, "a size from 1Mi to 1Ti", "10Gi", Reload::live,
    "Content in the spool, waiting or failed, above which new mail is refused with 452.",
    ROW_ACCESS(spool_max_size, (range<&S::spool_max_size, 1ULL << 20U, 1ULL << 40U>))
  },
  Setting{
    "spool_min_free_percent", Shape::number, "0 to 90", "10", Reload::live,
    "Free space of the spool's file system, in percent, below which new mail is refused with 452.",
    ROW_ACCESS(spool_min_free_percent, (range<&S::spool_min_free_percent, 0ULL, 90ULL>))
  },
  Setting{
    "durability", Shape::text, "strict or relaxed", "strict", Reload::restart,
    "`strict`: 250 means synced to disk; `relaxed`: a power cut may lose the last moments.",
    ROW_ACCESS(durability, any<&S::durability>)
  },
  Setting{
    "allowed_networks", Shape::list, kNetworks, "", Reload::live,
    "Clients that may relay; everyone else gets 550 5.7.1.",
    ROW_ACCESS(allowed_networks, any<&S::allowed_networks>)
  },
  Setting{
    "proxy_trusted", Shape::list, kNetworks, "", Reload::live,
    "Load balancers that send a PROXY protocol header (version 1 or 2) and must; from all others it is "
    "refused.",
    ROW_ACCESS(proxy_trusted, any<&S::proxy_trusted>)
  },
  Setting{
    "hidden_sources", Shape::list, kNetworks, "", Reload::live,
    "Addresses that hide clients: they never match `allowed_networks` unless listed there as /32 or /128.",
    ROW_ACCESS(hidden_sources, any<&S::hidden_sources>)
  },
  Setting{
    "hidden_sources_file", Shape::text, "an absolute path, or nothing",
    "/etc/smtp-relay/nodes/hidden_sources", Reload::live,
    "More of them, one a line, `#` begins a comment; in a pod the operator's list of all nodes. A file that "
    "is missing or "
    "empty leaves those that were read last, over a restart too.",
    ROW_ACCESS(hidden_sources_file, path_or_nothing<&S::hidden_sources_file>)
  },
  Setting{
    "host_addresses", Shape::list, kNetworks, "", Reload::live,
    "The node's own addresses, hidden sources too; the default gateway is found without being named.",
    ROW_ACCESS(host_addresses, any<&S::host_addresses>)
  },
  Setting{
    "policies", Shape::objects, "a JSON array of at most 128 objects, see below", "", Reload::live,
    "Rules on mail of clients that may relay; for each recipient the first that matches decides. It counts "
    "for transactions from then on. `relayctl explain` shows what they say.",
    OBJECTS(policies, PolicyRule)
  },
  Setting{
    "sender_bindings", Shape::objects, "a JSON array of at most 64 objects, see below", "", Reload::live,
    "Who may send as whom. Where an entry names the client or the sender, there must be one that names both, "
    "or MAIL gets 553 5.7.1. Clients and senders in no entry are free, and so is the null sender. It opens "
    "nothing to clients outside `allowed_networks`, and counts for transactions from then on.",
    OBJECTS(sender_bindings, SenderBinding)
  },
  Setting{
    "mode", Shape::text, "deliver, capture, redirect or allowlist", "deliver", Reload::live,
    "Which accepted mail leaves, for relays that are not in production. `capture`: none, it is kept in the "
    "spool, on hold, until it is released (`relayctl queue release --state captured`) or deleted; "
    "`redirect`: all of it goes to `mode_redirect_to`, with `X-Original-To:` for those whom it was for; "
    "`allowlist`: what is for recipients of `mode_allowed` does. It counts for what waits already, and for "
    "reports: none leaves that the mode keeps in.",
    ROW_ACCESS(mode, any<&S::mode>)
  },
  Setting{
    "mode_redirect_to", Shape::text, "an address such as test@example.org, or nothing", "", Reload::live,
    "Whom `mode` redirect sends all mail to.",
    ROW_ACCESS(mode_redirect_to, address_or_nothing<&S::mode_redirect_to>)
  },
  Setting{
    "mode_allowed", Shape::list,
    "at most 256 patterns such as qa.example.org, *.example.org or tester-*@example.com", "", Reload::live,
    "Recipients that `mode` allowlist sends mail to: domains, or addresses, `*` for anything and `?` for one "
    "octet.",
    ROW_ACCESS(mode_allowed, globs<&S::mode_allowed>)
  },
  Setting{
    "mode_others", Shape::text, "capture or reject", "capture", Reload::live,
    "What `mode` allowlist does with all others: kept on hold, or refused with 550 5.7.1 when they are "
    "named. Mail that is accepted already is kept on hold in any case.",
    ROW_ACCESS(mode_others, any<&S::mode_others>)
  },
  Setting{
    "mend_unqualified_domain", Shape::text, "a host name, or nothing", "", Reload::live,
    "Goes behind addresses without a domain (`root`) of clients that may relay: in MAIL and RCPT, and in "
    "From, "
    "Sender, Reply-To, To and Cc (RFC 5321 section 6.4). Empty: MAIL and RCPT with such an address get 501, "
    "and a "
    "header stays as it is. It counts for connections from then on.",
    ROW_ACCESS(mend_unqualified_domain, host_name<&S::mend_unqualified_domain>)
  },
  Setting{
    "mend_date", Shape::text, "on or off", "off", Reload::live,
    "`on`: a message without Date, which RFC 5322 section 3.6 demands, gets that of its reception.",
    ROW_ACCESS(mend_date, any<&S::mend_date>)
  },
  Setting{
    "mend_message_id", Shape::text, "on or off", "off", Reload::live,
    "`on`: a message without Message-ID gets one of its own.",
    ROW_ACCESS(mend_message_id, any<&S::mend_message_id>)
  },
  Setting{
    "mend_from", Shape::text, "on or off", "off", Reload::live,
    "`on`: a message without From, which RFC 5322 section 3.6 demands, gets the sender of its envelope "
    "there.",
    ROW_ACCESS(mend_from, any<&S::mend_from>)
  },
  Setting{
    "received_hides_client", Shape::text, "on or off", "off", Reload::live,
    "`on`: our `Received:` field does not say where a message came from, neither address nor HELO name. Logs "
    "do.",
    ROW_ACCESS(received_hides_client, any<&S::received_hides_client>)
  },
  Setting{
    "milters", Shape::objects, "a JSON array of at most 4 objects, see below", "", Reload::live,
    "Content filters (the milter protocol, version 6) that each message is shown to before it is stored, one "
    "after "
    "the other. It counts for transactions from then on.",
    OBJECTS(milters, Milter)
  },
  Setting{
    "tls_mode", Shape::text, "none, opportunistic or required", "opportunistic", Reload::live,
    "TLS of clients (STARTTLS, RFC 3207). `opportunistic`: offered where there is a certificate; `required`: "
    "mail in the clear gets 530 5.7.0, and there must be a certificate. It counts for connections from then "
    "on.",
    ROW_ACCESS(tls_mode, any<&S::tls_mode>)
  },
  Setting{
    "tls_certificate_file", Shape::text, "an absolute path, or nothing", "", Reload::live,
    "PEM file of the certificate that clients see, and its chain. A changed one is used by the next "
    "handshake; one that cannot be used is reported, and the last good one stays in use.",
    ROW_ACCESS(tls_certificate_file, path_or_nothing<&S::tls_certificate_file>)
  },
  Setting{
    "tls_key_file", Shape::text, "an absolute path, or nothing", "", Reload::live,
    "PEM file of its key, without a passphrase.", ROW_ACCESS(tls_key_file, path_or_nothing<&S::tls_key_file>)
  },
  Setting{
    "tls_min_version", Shape::text, "1.2 or 1.3", "1.2", Reload::live,
    "The oldest version of TLS that clients may use.", ROW_ACCESS(tls_min_version, any<&S::tls_min_version>)
  },
  Setting{
    "auth_users_file", Shape::text, "an absolute path, or nothing", "", Reload::live,
    "Users who may log in (AUTH PLAIN, LOGIN, SCRAM-SHA-256) and then relay from any address: one a line, as "
    "`relayctl user NAME` writes it, no password in it. A changed file is used by the next login; one that "
    "is wrong anywhere is reported with its line, and the users of before stay. Empty: AUTH is not offered.",
    ROW_ACCESS(auth_users_file, path_or_nothing<&S::auth_users_file>)
  },
  Setting{
    "auth_requires_tls", Shape::text, "on or off", "on", Reload::live,
    "`on`: AUTH is offered and served over TLS alone, in the clear it gets 538 5.7.11. It counts for "
    "connections from then on.",
    ROW_ACCESS(auth_requires_tls, any<&S::auth_requires_tls>)
  },
  Setting{
    "auth_failures_per_client", Shape::number, "1 to 1000000", "20", Reload::live,
    "Guesses at passwords that one client has, as `max_connections_per_client` has it; it gets all of them "
    "back within ten minutes, one after the other, and while it has none its AUTH gets 454 4.7.0. The same "
    "wrong password again is no other guess. The third failure of a connection ends it with 421 in any "
    "case.",
    ROW_ACCESS(auth_failures_per_client, (range<&S::auth_failures_per_client, 1ULL, 1'000'000ULL>))
  },
  Setting{
    "smarthost", Shape::list, "host:port, or nothing", "", Reload::live,
    "Where all mail goes: the same as one entry of `smarthosts` named `default`, with `smarthost_tls` and "
    "`smarthost_ca`. Neither: delivery to the mail servers of each recipient's domain (MX).",
    ROW_ACCESS(smarthost, at_most_one<&S::smarthost>)
  },
  Setting{
    "smarthost_tls", Shape::text, "none, opportunistic, required or implicit", "required", Reload::live,
    "`required` and `implicit` check certificate and name; credentials for the host imply verified TLS in "
    "any case.",
    ROW_ACCESS(smarthost_tls, any<&S::smarthost_tls>)
  },
  Setting{
    "smarthost_ca", Shape::text, "an absolute path, or nothing for the system's authorities", "",
    Reload::live, "PEM file of the authorities that may sign the smarthost's certificate.",
    ROW_ACCESS(smarthost_ca, path_or_nothing<&S::smarthost_ca>)
  },
  Setting{
    "smarthosts", Shape::objects, "a JSON array of objects, see below", "", Reload::live,
    "Several hosts, by recipient and sender domain. The most exact match takes a message (recipient before "
    "sender, "
    "a domain before a pattern); those with the same domains stand in for each other. What none matches is "
    "delivered "
    "by MX.",
    OBJECTS(smarthosts, Smarthost)
  },
  Setting{
    "passwd_client", Shape::text, "an absolute path", "/etc/exim4/passwd.client", Reload::live,
    "Exim's file of `host:user:password` lines; a missing file means no credentials.",
    ROW_ACCESS(passwd_client, absolute_path<&S::passwd_client>)
  },
  Setting{
    "mx_tls", Shape::text, "none, opportunistic, policy or required", "policy", Reload::live,
    "TLS towards mail servers found by MX. `policy`: STARTTLS where offered, and what the domain asks for by "
    "DANE or "
    "MTA-STS; `required`: verified, or no delivery.",
    ROW_ACCESS(mx_tls, any<&S::mx_tls>)
  },
  Setting{
    "mx_max_connections", Shape::number, "1 to 1000", "20", Reload::live,
    "Connections to the mail servers of one domain at a time. It begins with 5 and grows while all goes "
    "well.",
    ROW_ACCESS(mx_max_connections, (range<&S::mx_max_connections, 1ULL, 1000ULL>))
  },
  Setting{
    "mx_allowed_networks", Shape::list, kNetworks, "", Reload::live,
    "Private, loopback and link-local addresses that an MX may point to; all others of these kinds are "
    "refused.",
    ROW_ACCESS(mx_allowed_networks, any<&S::mx_allowed_networks>)
  },
  Setting{
    "mx_ca", Shape::text, "an absolute path, or nothing for the system's authorities", "", Reload::live,
    "PEM file of the authorities for MTA-STS and for `mx_tls` required.",
    ROW_ACCESS(mx_ca, path_or_nothing<&S::mx_ca>)
  },
  Setting{
    "dns_trust_anchors", Shape::list, "absolute paths, or nothing", "", Reload::live,
    "Files of DNSSEC trust anchors (DS or DNSKEY records) besides the root's, for private signed zones. "
    "Names below `.test`, `.local`, `.home.arpa`, `.internal`, `.intranet`, `.private`, `.corp`, `.home`, "
    "`.lan`, `.localhost` and `.example` pass for unsigned, and have no DANE, unless there is an anchor of "
    "their own: for the name, or for a zone above it.",
    ROW_ACCESS(dns_trust_anchors, any<&S::dns_trust_anchors>)
  },
  Setting{
    "destinations", Shape::objects, "a JSON array of objects, see below", "", Reload::live,
    "Domains delivered to by MX that are treated in another way; the first that matches counts.",
    OBJECTS(destinations, DestinationRule)
  },
  Setting{
    "providers", Shape::objects, "a JSON array of objects, see below", "", Reload::live,
    "Domains rolled up by whose mail servers they have, and what all of them get together.",
    OBJECTS(providers, Provider)
  },
  Setting{
    "sources", Shape::objects, "a JSON array of objects, see below", "", Reload::live,
    "Addresses to send from; none: the system chooses.", OBJECTS(sources, Source)
  },
  Setting{
    "dkim", Shape::objects, "a JSON array of objects, see below", "", Reload::live,
    "Signatures (RFC 6376, RFC 8463); every entry that matches signs.", OBJECTS(dkim, DkimKey)
  },
  Setting{
    "bulk_senders", Shape::list, "addresses, or domains such as example.org and *.example.org", "",
    Reload::live,
    "Envelope senders whose mail is bulk: it gives way to all other mail for the same destination.",
    ROW_ACCESS(bulk_senders, any<&S::bulk_senders>)
  },
  Setting{
    "bulk_headers", Shape::list, "header fields such as Precedence: bulk",
    "Precedence: bulk,Precedence: list", Reload::live,
    "Header fields that make a message bulk, name and value, in any case.",
    ROW_ACCESS(bulk_headers, any<&S::bulk_headers>)
  },
  Setting{
    "bounce_from", Shape::text,
    "an address such as postmaster@example.org, or nothing for MAILER-DAEMON at `hostname`", "", Reload::live,
    "The From of reports to senders.", ROW_ACCESS(bounce_from, address_or_nothing<&S::bounce_from>)
  },
  Setting{
    "bounce_max_size", Shape::text, "a size from 1Ki to 1Mi", "50k", Reload::live,
    "How much of a message its report returns at most; of a larger one the header alone.",
    ROW_ACCESS(bounce_max_size, (range<&S::bounce_max_size, 1024ULL, 1ULL << 20U>))
  },
  Setting{
    "bounce_rate", Shape::text, "a rate such as 100/1h", "100/1h", Reload::live,
    "Reports to one address in a time; more wait their turn.", ROW_ACCESS(bounce_rate, any<&S::bounce_rate>)
  },
  Setting{
    "dead_letter_max_age", Shape::text, "0s to 8760h", "168h", Reload::live,
    "How long a failed message is kept that nobody may be told of (its sender is null).",
    ROW_ACCESS(dead_letter_max_age, (lasting<&S::dead_letter_max_age, 0, 8760 * kHour>))
  },
  Setting{
    "tls_report_from", Shape::text, "an address such as tls-reports@example.org, or nothing", "",
    Reload::live,
    "Sends daily reports of TLS failures to domains that ask for them (RFC 8460), from this address; empty: "
    "none.",
    ROW_ACCESS(tls_report_from, address_or_nothing<&S::tls_report_from>)
  },
  Setting{
    "log_level", Shape::text, "debug, info, warning or error", "info", Reload::live,
    "The least grave records that are written. What becomes of messages is `info`, their failure `warning`; "
    "`debug` adds "
    "each session of a client. `relayctl trace` knows all of them whatever the level.",
    ROW_ACCESS(log_level, any<&S::log_level>)
  },
  Setting{
    "log_addresses", Shape::text, "plain or redacted", "plain", Reload::live,
    "`redacted`: local parts of addresses in logs are encrypted with `log_redaction_key`; `relayctl reveal` "
    "reads them.",
    ROW_ACCESS(log_addresses, any<&S::log_addresses>)
  },
  Setting{
    "log_redaction_key", Shape::text, "an absolute path, or nothing", "", Reload::live,
    "File with the key (any text of 16 octets and more) of redacted addresses; without one they are cut out.",
    ROW_ACCESS(log_redaction_key, path_or_nothing<&S::log_redaction_key>)
  },
  Setting{
    "max_message_size", Shape::text, "a size from 64Ki to 1Gi", "25Mi", Reload::live,
    "Larger messages are refused with 552 5.3.4.",
    ROW_ACCESS(max_message_size, (range<&S::max_message_size, 1ULL << 16U, 1ULL << 30U>))
  },
  Setting{
    "max_recipients", Shape::number, "100 to 50000", "1000", Reload::live,
    "Recipients of one message; more get 452 4.5.3 (RFC 5321 4.5.3.1.8 asks for at least 100).",
    ROW_ACCESS(max_recipients, (range<&S::max_recipients, 100ULL, 50'000ULL>))
  },
  Setting{
    "max_connections", Shape::number, "1 to 100000", "500", Reload::live,
    "Inbound connections at a time; more are greeted with 421 4.3.2. The last fifth is for clients in "
    "`allowed_networks`, where there are some, and for load balancers of `proxy_trusted`.",
    ROW_ACCESS(max_connections, (range<&S::max_connections, 1ULL, 100'000ULL>))
  },
  Setting{
    "max_connections_per_client", Shape::number, "1 to 100000", "50", Reload::live,
    "Inbound connections of one client at a time; more are greeted with 421 4.7.0. A client is an address, "
    "of IPv6 a /64, but of link-local ones each; "
    "behind a load balancer of `proxy_trusted` the one that its header names. Addresses that stand for "
    "several clients "
    "(`hidden_sources`, `host_addresses`, default gateways) share half of `max_connections`, "
    "unless allowed alone.",
    ROW_ACCESS(max_connections_per_client, (range<&S::max_connections_per_client, 1ULL, 100'000ULL>))
  },
  Setting{
    "bare_line_endings", Shape::text, "normalize or reject", "normalize", Reload::live,
    "A bare CR or LF in content: made CRLF, or the message refused with 550 5.5.2.",
    ROW_ACCESS(bare_line_endings, any<&S::bare_line_endings>)
  },
  Setting{
    "session_idle_timeout", Shape::text, "1s to 1h", "5m", Reload::live,
    "How long an inbound session may be silent (RFC 5321 4.5.3.2.7), and how long one line of it may take, "
    "from its first octet to its end. Waited for twelve times as long in all without an accepted message, "
    "a client is told to come again (421).",
    ROW_ACCESS(session_idle_timeout, (lasting<&S::session_idle_timeout, kSecond, kHour>))
  },
  Setting{
    "delivery_connections", Shape::number, "1 to 1000", "20", Reload::live,
    "Connections to `smarthost` at a time.",
    ROW_ACCESS(delivery_connections, (range<&S::delivery_connections, 1ULL, 1000ULL>))
  },
  Setting{
    "delivery_connections_total", Shape::number, "1 to 100000", "2000", Reload::live,
    "Outbound connections at a time, to all destinations together.",
    ROW_ACCESS(delivery_connections_total, (range<&S::delivery_connections_total, 1ULL, 100'000ULL>))
  },
  Setting{
    "delivery_messages_total", Shape::number, "1 to 100000", "5000", Reload::live,
    "Messages in delivery at a time, to all destinations together.",
    ROW_ACCESS(delivery_messages_total, (range<&S::delivery_messages_total, 1ULL, 100'000ULL>))
  },
  Setting{
    "messages_per_connection", Shape::number, "1 to 100000", "100", Reload::live,
    "Messages sent over one outbound connection before it is closed.",
    ROW_ACCESS(messages_per_connection, (range<&S::messages_per_connection, 1ULL, 100'000ULL>))
  },
  Setting{
    "connection_idle_time", Shape::text, "0s to 10m", "5s", Reload::live,
    "How long an outbound connection is kept for another message.",
    ROW_ACCESS(connection_idle_time, (lasting<&S::connection_idle_time, 0, 10 * kMinute>))
  },
  Setting{
    "connect_timeout", Shape::text, "100ms to 10m", "30s", Reload::live,
    "Name lookup, and connecting to one address of a next hop.",
    ROW_ACCESS(connect_timeout, (lasting<&S::connect_timeout, 100, 10 * kMinute>))
  },
  Setting{
    "banner_timeout", Shape::text, "100ms to 1h", "5m", Reload::live, "RFC 5321 4.5.3.2.1.",
    ROW_ACCESS(banner_timeout, (lasting<&S::banner_timeout, 100, kHour>))
  },
  Setting{
    "command_timeout", Shape::text, "100ms to 1h", "5m", Reload::live, "RFC 5321 4.5.3.2.2 and 4.5.3.2.3.",
    ROW_ACCESS(command_timeout, (lasting<&S::command_timeout, 100, kHour>))
  },
  Setting{
    "data_init_timeout", Shape::text, "100ms to 1h", "2m", Reload::live, "RFC 5321 4.5.3.2.4.",
    ROW_ACCESS(data_init_timeout, (lasting<&S::data_init_timeout, 100, kHour>))
  },
  Setting{
    "data_block_timeout", Shape::text, "100ms to 1h", "3m", Reload::live, "RFC 5321 4.5.3.2.5.",
    ROW_ACCESS(data_block_timeout, (lasting<&S::data_block_timeout, 100, kHour>))
  },
  Setting{
    "data_end_timeout", Shape::text, "100ms to 1h", "10m", Reload::live, "RFC 5321 4.5.3.2.6.",
    ROW_ACCESS(data_end_timeout, (lasting<&S::data_end_timeout, 100, kHour>))
  },
  Setting{
    "retry_initial_delay", Shape::text, "100ms to 24h", "1m", Reload::live,
    "Wait behind a first failure of a smarthost; it grows with each further one, spread by a tenth.",
    ROW_ACCESS(retry_initial_delay, (lasting<&S::retry_initial_delay, 100, 24 * kHour>))
  },
  Setting{
    "retry_max_delay", Shape::text, "100ms to 24h", "1h", Reload::live,
    "The longest wait between two attempts.",
    ROW_ACCESS(retry_max_delay, (lasting<&S::retry_max_delay, 100, 24 * kHour>))
  },
  Setting{
    "retry_multiplier", Shape::number, "1 to 10, with two decimals at most", "2", Reload::live,
    "How many times as long as the last each wait is; 1: all are alike.",
    ROW_ACCESS(retry_multiplier, (range<&S::retry_multiplier, queue::Factor{100}, queue::Factor{1000}>))
  },
  Setting{
    "retry_max_age", Shape::text, "1s to 720h", "120h", Reload::live,
    "Age at which a message that could not be delivered fails (RFC 5321 4.5.4.1: 4 to 5 days).",
    ROW_ACCESS(retry_max_age, (lasting<&S::retry_max_age, kSecond, 720 * kHour>))
  },
  Setting{
    "retry_warn_after", Shape::text, "0s to 720h", "4h", Reload::live,
    "Age at which a sender is told, once, that a message still waits; 0s: never.",
    ROW_ACCESS(retry_warn_after, (lasting<&S::retry_warn_after, 0, 720 * kHour>))
  },
  Setting{
    "mx_retry_initial_delay", Shape::text, "100ms to 24h", "30m", Reload::live,
    "As `retry_initial_delay`, for delivery by MX (RFC 5321 4.5.4.1: at least 30 minutes).",
    ROW_ACCESS(mx_retry_initial_delay, (lasting<&S::mx_retry_initial_delay, 100, 24 * kHour>))
  },
  Setting{
    "health_fail_on", Shape::list, "smarthost_down, credentials_refused, or nothing", "", Reload::live,
    "What else makes /health answer 503, though mail is accepted: `smarthost_down`, mail waits and no host "
    "for it can be "
    "used; `credentials_refused`, a smarthost refuses ours, from its refusal until it has judged a message, "
    "until they are "
    "changed, or until 5 minutes have passed behind its last refusal and no mail waits for it. /readyz is "
    "not touched by it.",
    ROW_ACCESS(health_fail_on, any<&S::health_fail_on>)
  },
  Setting{
    "lame_duck", Shape::text, "0s to 10m", "20s", Reload::live,
    "On SIGTERM: how long mail is still accepted while /health and /readyz already answer 503.",
    ROW_ACCESS(lame_duck, (lasting<&S::lame_duck, 0, 10 * kMinute>))
  },
  Setting{
    "session_drain_timeout", Shape::text, "0s to 10m", "30s", Reload::live,
    "Behind the lame-duck time: how long transactions in progress may take to finish before their "
    "connections are "
    "closed. What it leaves, and what the flush leaves of `flush_timeout`, is for deliveries in progress.",
    ROW_ACCESS(session_drain_timeout, (lasting<&S::session_drain_timeout, 0, 10 * kMinute>))
  },
  Setting{
    "flush_timeout", Shape::text, "0s to 10m", "60s", Reload::live,
    "Behind the sessions: how long mail that is due is delivered on. It ends as soon as none is left that "
    "can be tried at "
    "once; what was deferred, or waits for a host that is down, stays in the spool.",
    ROW_ACCESS(flush_timeout, (lasting<&S::flush_timeout, 0, 10 * kMinute>))
  },
  Setting{
    "content_memory", Shape::text, "a size from 0 to 64Gi", "32Mi", Reload::restart,
    "Content of accepted messages kept in memory until their first delivery; the rest is read from the "
    "spool.",
    ROW_ACCESS(content_memory, (range<&S::content_memory, 0ULL, 1ULL << 36U>))
  },
  Setting{
    "shards", Shape::number, "0 to 256", "0", Reload::restart,
    "Threads that serve connections; 0 means one a core.",
    ROW_ACCESS(shards, (range<&S::shards, 0ULL, 256ULL>))
  },
  Setting{
    "pod_annotations", Shape::text, "an absolute path, or nothing", "", Reload::restart,
    "File of the pod's annotations (a downward API volume), read every second. `smtp.buildinglink.com/drain` "
    "drains the "
    "relay as `relayctl drain` does. `smtp.buildinglink.com/cordoned`, whose value is the reason, does the "
    "same, and all "
    "that waits is tried at once; `smtp.buildinglink.com/retire` too, and all that waits is tried again and "
    "again. One that "
    "is empty or `false` asks for nothing; a file that cannot be read changes nothing.",
    ROW_ACCESS(pod_annotations, path_or_nothing<&S::pod_annotations>)
  },
  Setting{
    "node_name", Shape::text, "a host name, or nothing", "", Reload::restart,
    "The node, for /node and the log.", ROW_ACCESS(node_name, host_name<&S::node_name>)
  },
  Setting{
    "pod_name", Shape::text, "any text", "", Reload::restart, "The pod, for /node and the log.",
    ROW_ACCESS(pod_name, any<&S::pod_name>)
  },
  Setting{
    "pod_namespace", Shape::text, "any text", "", Reload::restart,
    "The pod's namespace, for /node and the log.", ROW_ACCESS(pod_namespace, any<&S::pod_namespace>)
  },
};
#undef ROW_ACCESS
#undef OBJECTS

std::string code_or_nothing(std::string_view text) {
  return text.empty() ? "" : "`" + std::string(text) + "`";
}

std::string object_page(const Setting& row) {
  std::string page =
    "\n## " + std::string(row.key) + "\n\n| field | accepted | default | meaning |\n|---|---|---|---|\n";
  for (const auto& field : row.fields()) {
    page += "| `" + std::string(field.key) + "` | " + std::string(field.accepted) + " | " +
            code_or_nothing(field.default_value) + " | " + std::string(field.meaning) + " |\n";
  }
  return page;
}

}  // namespace

std::string Setting::environment_name() const { return "SMTP_RELAY_" + upper(key); }

std::span<const Setting> settings_table() { return kTable; }

const Setting* find_setting(std::string_view key) {
  const auto found =
    std::find_if(kTable.begin(), kTable.end(), [&](const Setting& row) { return row.key == key; });
  return found == kTable.end() ? nullptr : &*found;
}

std::string reference_page() {
  std::string page =
    "# Configuration\n\n"
    "Generated from the settings table (`relay/config/reference.cpp`) by `smtp-relay --print-reference`; do "
    "not edit.\n\n"
    "`smtp-relay` reads a JSON file (`--config FILE`) and the environment, and the environment wins. Each "
    "setting is\n"
    "the JSON key below, or the environment variable behind it. Durations are written `1m30s`, sizes `25Mi` "
    "or octets,\n"
    "lists as JSON arrays or with commas, lists of objects as JSON. An unknown key or `SMTP_RELAY_` variable "
    "is an error. "
    "`--check-config` reports\n"
    "every fault at once, `--print-config` prints what is in force. Settings that reload *live* change "
    "without a restart\n"
    "when the file does.\n\n"
    "| key | environment | accepted | default | reload | meaning |\n|---|---|---|---|---|---|\n";
  for (const auto& row : kTable) {
    page += "| `" + std::string(row.key) + "` | `" + row.environment_name() + "` | " +
            std::string(row.accepted) + " | " + code_or_nothing(row.default_value) + " | " +
            (row.reload == Reload::live ? "live" : "restart") + " | " + std::string(row.meaning) + " |\n";
  }
  for (const auto& row : kTable) {
    if (row.fields != nullptr) page += object_page(row);
  }
  return page;
}

}  // namespace relay::config
