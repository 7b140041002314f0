#pragma once
/// What the resource says about mail that goes out. Durations, sizes, rates, domains and networks stay text: the relay's
/// own rules (relay/config) read them. Empty text means that nothing was said.

#include <optional>
#include <string>
#include <vector>

#include "operator/api/reference.hpp"

namespace op::api {

using Texts = std::vector<std::string>;

struct SmarthostTls {
  std::string mode = "Required";  ///< None, Opportunistic, Required, Implicit
  std::string min_version = "1.2";
  std::string server_name;
  std::optional<KeyReference> ca{};
  std::string client_certificate;  ///< name of a Secret of the type kubernetes.io/tls
  friend bool operator==(const SmarthostTls&, const SmarthostTls&) = default;
};

/// Where the tokens of XOAuth2 come from; its keys are in the Secret of the credentials.
struct Token {
  std::string url;
  std::string scope;
  std::string client_id_key = "client-id";
  std::string client_secret_key;
  std::string refresh_token_key;
  friend bool operator==(const Token&, const Token&) = default;
};

struct Auth {
  std::string mechanism = "Any";  ///< Any, Plain, Login, ScramSha256, XOAuth2
  std::string secret;             ///< its name
  std::string username_key = "username";
  std::string password_key = "password";
  std::optional<Token> token{};
  friend bool operator==(const Auth&, const Auth&) = default;
};

struct SmarthostLimits {
  std::uint32_t max_connections = 20;
  std::uint32_t messages_per_connection = 100;
  std::string connect_timeout = "30s";
  std::string message_rate;
  friend bool operator==(const SmarthostLimits&, const SmarthostLimits&) = default;
};

struct Smarthost {
  std::string name;
  std::string host;  ///< a name, looked up as A and AAAA, or an address
  std::uint16_t port = 587;
  std::uint32_t priority = 10;  ///< the lowest is tried first
  std::uint32_t weight = 1;
  Texts recipient_domains{};
  Texts sender_domains{};
  SmarthostTls tls{};
  std::optional<Auth> auth{};
  SmarthostLimits limits{};
  friend bool operator==(const Smarthost&, const Smarthost&) = default;
};

/// How some domains are treated that mail is delivered to by MX.
struct Destination {
  Texts domains;
  Texts providers;
  std::optional<std::uint32_t> max_connections;
  std::string message_rate;
  std::string connection_rate;
  std::string retry_initial_delay;
  std::string retry_max_delay;
  std::string retry_max_age;
  std::string retry_warn_after;
  std::string tls;  ///< None, Opportunistic, Policy, Required
  std::string source_pool;
  friend bool operator==(const Destination&, const Destination&) = default;
};

struct Provider {
  std::string name;
  Texts mx;
  std::uint32_t max_connections = 100;
  std::string message_rate;
  friend bool operator==(const Provider&, const Provider&) = default;
};

struct Source {
  std::string name;
  std::string pool = "default";
  std::string address;
  std::uint32_t weight = 1;
  std::string helo_name;
  std::string warm_up_from;                   ///< a date
  std::vector<std::uint64_t> messages_a_day;  ///< on the first day of the warm-up, the second and so on
  friend bool operator==(const Source&, const Source&) = default;
};

/// Mail that no smarthost takes, and what counts for all mail that goes out.
struct Delivery {
  std::string mx_tls = "Policy";
  std::uint32_t max_connections_per_domain = 20;
  Texts allowed_private_networks;
  std::optional<KeyReference> ca;
  std::string trust_anchors;  ///< name of a ConfigMap, each key of it a file of them
  std::vector<Destination> destinations;
  std::vector<Provider> providers;
  std::vector<Source> sources;
  Texts bulk_senders;
  Texts bulk_headers = {"Precedence: bulk", "Precedence: list"};
  std::uint32_t max_connections = 2000;
  std::uint32_t max_messages = 5000;
  friend bool operator==(const Delivery&, const Delivery&) = default;
};

struct Dkim {
  std::string domain;
  std::string selector;
  KeyReference key{KeyReference::Kind::secret, "", "private.key"};
  Texts senders{};
  Texts headers{};
  std::string canonicalization = "relaxed/relaxed";
  std::string expires{};
  friend bool operator==(const Dkim&, const Dkim&) = default;
};

struct Bounces {
  std::string from;
  std::string max_returned = "50k";
  std::string rate_per_sender = "100/1h";
  std::string dead_letter_max_age = "168h";
  friend bool operator==(const Bounces&, const Bounces&) = default;
};

}  // namespace op::api
