#include "relay/config/object_tables.hpp"

#include "relay/config/values.hpp"

namespace relay::config {
namespace {

#define FIELD_ACCESS(member, check) check, get<&O::member>

constexpr std::string_view kDomains = "domains such as example.org, *.example.org (any below it) or *";
constexpr std::string_view kPath = "an absolute path, or nothing";
constexpr std::string_view kRate = "a rate such as 100/1m, or nothing";

template <auto Member>
Result<void> address(OwnerOf<Member>& object, std::string_view text) {
  return checked<Member>(object, text, [](const std::string& value) {
    return IpAddress::parse(value).has_value();
  });
}

bool is_date(std::string_view text) {
  const auto parts = split(text, '-');
  if (text.size() != 10 || parts.size() != 3 || parts[0].size() != 4 || parts[1].size() != 2) return false;
  const auto year = parse_number(parts[0]);
  const auto month = parse_number(parts[1]);
  const auto day = parse_number(parts[2]);
  if (!year || !month || !day) return false;
  return std::chrono::year_month_day{
    std::chrono::year{static_cast<int>(*year)}, std::chrono::month{static_cast<unsigned>(*month)},
    std::chrono::day{static_cast<unsigned>(*day)}
  }.ok();
}

/// `2026-11-25`, or nothing.
template <auto Member>
Result<void> date(OwnerOf<Member>& object, std::string_view text) {
  return checked<Member>(object, text, [](const std::string& value) {
    return value.empty() || is_date(value);
  });
}

template <auto Member>
Result<void> canonicalization(OwnerOf<Member>& object, std::string_view text) {
  return checked<Member>(object, text, [](const std::string& value) {
    return value == "relaxed/relaxed" || value == "relaxed/simple" || value == "simple/relaxed" ||
           value == "simple/simple";
  });
}

namespace listener {
using O = Listener;
const std::array kFields{
  Field<O>{
    {"name", Shape::text, "letters, digits and hyphens, not smtp", "",
     "Its name, in logs and rules; `listen` is `smtp`."},
    true,
    FIELD_ACCESS(name, label<&O::name>)
  },
  Field<O>{
    {"listen", Shape::list, "host:port, several with commas between them", "",
     "Where it is; a change waits for a restart, all else is live."},
    true,
    FIELD_ACCESS(listen, at_least_one<&O::listen>)
  },
  Field<O>{
    {"tls", Shape::text, "none, optional, required or implicit", "optional",
     "`optional`: STARTTLS, where there is a certificate; `required`: and mail in the clear gets 530 5.7.0; "
     "`implicit`: TLS from the first octet (RFC 8314), as on port 465. It stands in for `tls_mode`."},
    false,
    FIELD_ACCESS(tls, any<&O::tls>)
  },
  Field<O>{
    {"auth", Shape::text, "optional or required", "optional",
     "`required`: who has not logged in gets 530 5.7.0, allowed networks or not."},
    false,
    FIELD_ACCESS(auth, any<&O::auth>)
  },
  Field<O>{
    {"allowed_networks", Shape::list, "networks such as 10.20.0.0/16, or nothing for `allowed_networks`", "",
     "Clients that may relay here without login, instead of the `allowed_networks` of all."},
    false,
    FIELD_ACCESS(allowed_networks, any<&O::allowed_networks>)
  },
  Field<O>{
    {"proxy_protocol", Shape::text, "on or off", "on",
     "`on`: load balancers of `proxy_trusted` must send a PROXY header, before TLS; `off`: nobody may."},
    false,
    FIELD_ACCESS(proxy_protocol, any<&O::proxy_protocol>)
  },
};
}  // namespace listener

namespace smarthost {
using O = Smarthost;
const std::array kFields{
  Field<O>{
    {"name", Shape::text, "letters, digits and hyphens", "",
     "Its name: mail for it waits in the queue `smarthost/<name>`."},
    true, FIELD_ACCESS(name, label<&O::name>)
  },
  Field<O>{
    {"host", Shape::text, "a host name or an IP address", "",
     "Looked up as A and AAAA, never MX; also the name that TLS checks."},
    true,
    [](O& object, std::string_view text) {
      return checked<&O::host>(object, text, [](const std::string& host) {
        return is_host_name(host) || IpAddress::parse(host).has_value();
      });
    },
    get<&O::host>
  },
  Field<O>{
    {"port", Shape::number, "1 to 65535", "587", "587 for submission, 25 for relaying, 465 with `tls` implicit."},
    false, FIELD_ACCESS(port, (range<&O::port, 1ULL, 65'535ULL>))
  },
  Field<O>{
    {"priority", Shape::number, "0 to 1000", "10",
     "Of those that serve the same domains the lowest is tried first, the others when it can't be reached."},
    false, FIELD_ACCESS(priority, (range<&O::priority, 0ULL, 1000ULL>))
  },
  Field<O>{
    {"weight", Shape::number, "1 to 1000", "1", "Its share of the connections among those of equal priority."},
    false, FIELD_ACCESS(weight, (range<&O::weight, 1ULL, 1000ULL>))
  },
  Field<O>{
    {"recipient_domains", Shape::list, kDomains, "", "Whose mail it takes, by the recipient; empty: everyone's."},
    false, FIELD_ACCESS(recipient_domains, domain_patterns<&O::recipient_domains>)
  },
  Field<O>{
    {"sender_domains", Shape::list, kDomains, "", "Whose mail it takes, by the sender; empty: everyone's."},
    false, FIELD_ACCESS(sender_domains, domain_patterns<&O::sender_domains>)
  },
  Field<O>{
    {"tls", Shape::text, "none, opportunistic, required or implicit", "required", "As `smarthost_tls`."},
    false, FIELD_ACCESS(tls, any<&O::tls>)
  },
  Field<O>{
    {"tls_min_version", Shape::text, "1.2 or 1.3", "1.2", "The oldest version of TLS."}, false,
    FIELD_ACCESS(tls_min_version, any<&O::tls_min_version>)
  },
  Field<O>{
    {"server_name", Shape::text, "a host name, or nothing for `host`", "",
     "The name that its certificate must have."},
    false, FIELD_ACCESS(server_name, host_name<&O::server_name>)
  },
  Field<O>{
    {"ca", Shape::text, kPath, "", "PEM file of the authorities that sign its certificate; empty: the system's."},
    false, FIELD_ACCESS(ca, path_or_nothing<&O::ca>)
  },
  Field<O>{
    {"client_certificate", Shape::text, kPath, "", "PEM file of the certificate that we show it."}, false,
    FIELD_ACCESS(client_certificate, path_or_nothing<&O::client_certificate>)
  },
  Field<O>{
    {"client_key", Shape::text, kPath, "", "PEM file of that certificate's key."}, false,
    FIELD_ACCESS(client_key, path_or_nothing<&O::client_key>)
  },
  Field<O>{
    {"auth", Shape::text, "passwd_client, none, any, plain, login, scram-sha-256 or xoauth2", "passwd_client",
     "`passwd_client`: the line for its host there, if any. `none`: no AUTH. Else user and password are in files, "
     "and `any` takes the best mechanism that is offered."},
    false, FIELD_ACCESS(auth, any<&O::auth>)
  },
  Field<O>{
    {"username_file", Shape::text, kPath, "", "File with the user's name."}, false,
    FIELD_ACCESS(username_file, path_or_nothing<&O::username_file>)
  },
  Field<O>{
    {"password_file", Shape::text, kPath, "", "File with the password; not for xoauth2."}, false,
    FIELD_ACCESS(password_file, path_or_nothing<&O::password_file>)
  },
  Field<O>{
    {"token_url", Shape::text, "an https URL, or nothing", "",
     "Token endpoint of xoauth2 (RFC 6749): client credentials, or a refresh token."},
    false,
    [](O& object, std::string_view text) {
      return checked<&O::token_url>(object, text, [](const std::string& url) {
        return url.empty() || (url.starts_with("https://") && url.size() > 8);
      });
    },
    get<&O::token_url>
  },
  Field<O>{
    {"token_scope", Shape::text, "any text", "", "The scope that is asked for."}, false,
    FIELD_ACCESS(token_scope, any<&O::token_scope>)
  },
  Field<O>{
    {"client_id_file", Shape::text, kPath, "", "File with the client's id at the token endpoint."}, false,
    FIELD_ACCESS(client_id_file, path_or_nothing<&O::client_id_file>)
  },
  Field<O>{
    {"client_secret_file", Shape::text, kPath, "", "File with the client's secret there."}, false,
    FIELD_ACCESS(client_secret_file, path_or_nothing<&O::client_secret_file>)
  },
  Field<O>{
    {"refresh_token_file", Shape::text, kPath, "", "File with a refresh token, where one is used."}, false,
    FIELD_ACCESS(refresh_token_file, path_or_nothing<&O::refresh_token_file>)
  },
  Field<O>{
    {"max_connections", Shape::number, "1 to 1000", "20", "Connections to it at a time."}, false,
    FIELD_ACCESS(max_connections, (range<&O::max_connections, 1ULL, 1000ULL>))
  },
  Field<O>{
    {"messages_per_connection", Shape::number, "1 to 100000", "100", "Messages over one connection."}, false,
    FIELD_ACCESS(messages_per_connection, (range<&O::messages_per_connection, 1ULL, 100'000ULL>))
  },
  Field<O>{
    {"connect_timeout", Shape::text, "100ms to 10m", "30s", "Name lookup, and connecting to one address."}, false,
    FIELD_ACCESS(connect_timeout, (lasting<&O::connect_timeout, 100, 10 * kMinute>))
  },
  Field<O>{
    {"message_rate", Shape::text, kRate, "", "Messages given to it in a time."}, false,
    FIELD_ACCESS(message_rate, any<&O::message_rate>)
  },
};
}  // namespace smarthost

namespace dkim_key {
using O = DkimKey;
const std::array kFields{
  Field<O>{
    {"domain", Shape::text, "a domain", "", "The signing domain, `d=`."},
    true,
    FIELD_ACCESS(domain, host_name<&O::domain>)
  },
  Field<O>{
    {"selector", Shape::text, "a selector", "",
     "`s=`: the key is published at `<selector>._domainkey.<domain>`."},
    true,
    FIELD_ACCESS(selector, host_name<&O::selector>)
  },
  Field<O>{
    {"key", Shape::text, "an absolute path", "",
     "PEM file of the private key, RSA (1024 bits and more) or Ed25519."},
    true,
    FIELD_ACCESS(key, absolute_path<&O::key>)
  },
  Field<O>{
    {"senders", Shape::list, kDomains, "",
     "Domains in From whose mail it signs; empty: `domain` and all below it."},
    false,
    FIELD_ACCESS(senders, domain_patterns<&O::senders>)
  },
  Field<O>{
    {"headers", Shape::list, "names of header fields, or nothing", "",
     "Fields to sign; empty: those that RFC 6376 5.4.1 recommends. From always, and once more than it is "
     "there."},
    false,
    FIELD_ACCESS(headers, any<&O::headers>)
  },
  Field<O>{
    {"canonicalization", Shape::text, "relaxed or simple, twice, with a slash between", "relaxed/relaxed",
     "Of header and body."},
    false,
    FIELD_ACCESS(canonicalization, canonicalization<&O::canonicalization>)
  },
  Field<O>{
    {"expires", Shape::text, "1h to 720h, or nothing", "",
     "How long behind its arrival a signature is good: `x=`."},
    false,
    FIELD_ACCESS(expires, (lasting<&O::expires, kHour, 720 * kHour>))
  },
};
}  // namespace dkim_key

namespace destination {
using O = DestinationRule;
const std::array kFields{
  Field<O>{
    {"domains", Shape::list, kDomains, "", "Recipient domains that it is for."},
    false,
    FIELD_ACCESS(domains, domain_patterns<&O::domains>)
  },
  Field<O>{
    {"providers", Shape::list, "names of `providers`", "", "Or all domains of these providers."},
    false,
    FIELD_ACCESS(providers, any<&O::providers>)
  },
  Field<O>{
    {"max_connections", Shape::number, "1 to 1000, or nothing", "", "Connections to one domain at a time."},
    false,
    FIELD_ACCESS(max_connections, (range<&O::max_connections, 1ULL, 1000ULL>))
  },
  Field<O>{
    {"message_rate", Shape::text, kRate, "", "Messages to one domain in a time."},
    false,
    FIELD_ACCESS(message_rate, any<&O::message_rate>)
  },
  Field<O>{
    {"connection_rate", Shape::text, kRate, "", "New connections to one domain in a time."},
    false,
    FIELD_ACCESS(connection_rate, any<&O::connection_rate>)
  },
  Field<O>{
    {"retry_initial_delay", Shape::text, "100ms to 24h, or nothing", "", "As `mx_retry_initial_delay`."},
    false,
    FIELD_ACCESS(retry_initial_delay, (lasting<&O::retry_initial_delay, 100, 24 * kHour>))
  },
  Field<O>{
    {"retry_max_delay", Shape::text, "100ms to 24h, or nothing", "", "As `retry_max_delay`."},
    false,
    FIELD_ACCESS(retry_max_delay, (lasting<&O::retry_max_delay, 100, 24 * kHour>))
  },
  Field<O>{
    {"retry_max_age", Shape::text, "1s to 720h, or nothing", "", "As `retry_max_age`."},
    false,
    FIELD_ACCESS(retry_max_age, (lasting<&O::retry_max_age, kSecond, 720 * kHour>))
  },
  Field<O>{
    {"retry_warn_after", Shape::text, "0s to 720h, or nothing", "", "As `retry_warn_after`."},
    false,
    FIELD_ACCESS(retry_warn_after, (lasting<&O::retry_warn_after, 0, 720 * kHour>))
  },
  Field<O>{
    {"tls", Shape::text, "none, opportunistic, policy or required, or nothing", "", "As `mx_tls`."},
    false,
    FIELD_ACCESS(tls, any<&O::tls>)
  },
  Field<O>{
    {"source_pool", Shape::text, "a pool of `sources`, or nothing", "", "The addresses that it is sent from."
    },
    false,
    FIELD_ACCESS(source_pool, any<&O::source_pool>)
  },
};
}  // namespace destination

namespace provider {
using O = Provider;
const std::array kFields{
  Field<O>{
    {"name", Shape::text, "letters, digits and hyphens", "", "Its name, in rules, metrics and lists."},
    true,
    FIELD_ACCESS(name, label<&O::name>)
  },
  Field<O>{
    {"mx", Shape::list, kDomains, "", "Names of mail servers (MX) that are its own."},
    true,
    FIELD_ACCESS(mx, domain_patterns<&O::mx>)
  },
  Field<O>{
    {"max_connections", Shape::number, "1 to 1000", "100", "Connections to all its domains at a time."},
    false,
    FIELD_ACCESS(max_connections, (range<&O::max_connections, 1ULL, 1000ULL>))
  },
  Field<O>{
    {"message_rate", Shape::text, kRate, "", "Messages to all its domains in a time."},
    false,
    FIELD_ACCESS(message_rate, any<&O::message_rate>)
  },
};
}  // namespace provider

namespace source {
using O = Source;
const std::array kFields{
  Field<O>{
    {"name", Shape::text, "letters, digits and hyphens", "", "Its name, in logs."},
    true,
    FIELD_ACCESS(name, label<&O::name>)
  },
  Field<O>{
    {"pool", Shape::text, "letters, digits and hyphens", "default",
     "Its pool. Those of `default` send what no rule gives to another pool."},
    false,
    FIELD_ACCESS(pool, label<&O::pool>)
  },
  Field<O>{
    {"address", Shape::text, "an IP address of this machine", "", "Where connections come from."},
    true,
    FIELD_ACCESS(address, address<&O::address>)
  },
  Field<O>{
    {"weight", Shape::number, "1 to 1000", "1", "Its share of the connections of its pool."},
    false,
    FIELD_ACCESS(weight, (range<&O::weight, 1ULL, 1000ULL>))
  },
  Field<O>{
    {"helo_name", Shape::text, "a host name, or nothing for `hostname`", "", "What it says in EHLO."},
    false,
    FIELD_ACCESS(helo_name, host_name<&O::helo_name>)
  },
  Field<O>{
    {"messages_a_day", Shape::list, "whole numbers, with commas between them", "",
     "Warm-up: at most so many messages on the first day (UTC), the second and so on; behind the last, as "
     "many as come."},
    false,
    FIELD_ACCESS(messages_a_day, any<&O::messages_a_day>)
  },
  Field<O>{
    {"warm_up_from", Shape::text, "a date such as 2026-11-25, or nothing", "", "The first day of the warm-up."
    },
    false,
    FIELD_ACCESS(warm_up_from, date<&O::warm_up_from>)
  },
};
}  // namespace source
#undef FIELD_ACCESS

}  // namespace

template <>
std::span<const Field<Listener>> fields_of<Listener>() {
  return listener::kFields;
}
template <>
std::span<const Field<Smarthost>> fields_of<Smarthost>() {
  return smarthost::kFields;
}
template <>
std::span<const Field<DkimKey>> fields_of<DkimKey>() {
  return dkim_key::kFields;
}
template <>
std::span<const Field<DestinationRule>> fields_of<DestinationRule>() {
  return destination::kFields;
}
template <>
std::span<const Field<Provider>> fields_of<Provider>() {
  return provider::kFields;
}
template <>
std::span<const Field<Source>> fields_of<Source>() {
  return source::kFields;
}

std::string wrong_with(const Listener& listener) {
  if (listener.name == mail::kMainListener) return "the name 'smtp' is that of `listen`";
  const bool is_smtps = std::any_of(listener.listen.begin(), listener.listen.end(), [](const auto& at) {
    return at.port == 465;
  });
  if (is_smtps && listener.tls != ListenerTls::implicit)
    return "port 465 speaks TLS from the first octet: it needs tls implicit";
  return {};
}

std::string wrong_with(const Smarthost& smarthost) {
  const bool has_secure_tls =
    smarthost.tls == smtp::TlsMode::required || smarthost.tls == smtp::TlsMode::implicit;
  const bool has_files =
    smarthost.auth != AuthMechanism::passwd_client && smarthost.auth != AuthMechanism::none;
  const bool is_token = smarthost.auth == AuthMechanism::xoauth2;
  if (smarthost.port == 465 && smarthost.tls != smtp::TlsMode::implicit)
    return "port 465 speaks TLS from the first octet: it needs tls implicit";
  if (smarthost.client_certificate.empty() != smarthost.client_key.empty())
    return "client_certificate and client_key are needed together";
  if (has_files && !has_secure_tls)
    return "auth needs tls required or implicit: credentials never go in clear";
  if (has_files && smarthost.username_file.empty()) return "auth needs username_file";
  if (has_files && !is_token && smarthost.password_file.empty()) return "auth needs password_file";
  if (is_token && smarthost.token_url.empty()) return "xoauth2 needs token_url";
  if (is_token && smarthost.client_id_file.empty()) return "xoauth2 needs client_id_file";
  if (is_token && smarthost.client_secret_file.empty() && smarthost.refresh_token_file.empty())
    return "xoauth2 needs client_secret_file or refresh_token_file";
  return {};
}

std::string wrong_with(const DkimKey& key) {
  if (key.domain.empty() || key.selector.empty()) return "needs a domain and a selector";
  return {};
}

std::string wrong_with(const DestinationRule& rule) {
  if (rule.domains.empty() && rule.providers.empty()) return "needs domains or providers";
  return {};
}

std::string wrong_with(const Provider& provider) {
  if (provider.mx.empty()) return "needs at least one name in mx";
  return {};
}

std::string wrong_with(const Source& source) {
  if (source.messages_a_day.empty() != source.warm_up_from.empty())
    return "messages_a_day and warm_up_from are needed together";
  return {};
}

}  // namespace relay::config
