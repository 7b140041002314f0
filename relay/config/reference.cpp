#include "relay/config/reference.hpp"

#include <algorithm>
#include <array>
#include <type_traits>

#include "relay/base/text.hpp"

namespace relay::config {
namespace {

using std::chrono::hours;
using std::chrono::minutes;

// ---- values: how each type is read and written ----

template <class Enum>
struct Word {
  std::string_view text;
  Enum value;
};
constexpr std::array kTlsModes{
  Word<smtp::TlsMode>{"none", smtp::TlsMode::none},
  Word<smtp::TlsMode>{"opportunistic", smtp::TlsMode::opportunistic},
  Word<smtp::TlsMode>{"required", smtp::TlsMode::required},
  Word<smtp::TlsMode>{"implicit", smtp::TlsMode::implicit}
};
constexpr std::array kBareLineEndings{
  Word<smtp::BareLineEndings>{"normalize", smtp::BareLineEndings::normalize},
  Word<smtp::BareLineEndings>{"reject", smtp::BareLineEndings::reject}
};
constexpr std::array kDurabilities{
  Word<Durability>{"strict", Durability::strict}, Word<Durability>{"relaxed", Durability::relaxed}
};
constexpr const auto& words(smtp::TlsMode) { return kTlsModes; }
constexpr const auto& words(smtp::BareLineEndings) { return kBareLineEndings; }
constexpr const auto& words(Durability) { return kDurabilities; }

template <class Value>
Result<Value> read_value(std::string_view text) {
  if constexpr (std::is_enum_v<Value>) {
    for (const auto& word : words(Value{})) {
      if (word.text == text) return word.value;
    }
    return permanent(Errc::invalid_argument, "not one of the words");
  } else if constexpr (std::is_same_v<Value, std::string>) {
    return std::string(text);
  } else if constexpr (std::is_same_v<Value, std::uint64_t>) {
    const auto number = parse_number(text);
    if (!number) return permanent(Errc::invalid_argument, "not a whole number");
    return *number;
  } else if constexpr (std::is_same_v<Value, Octets>) {
    return parse_octets(text);
  } else if constexpr (std::is_same_v<Value, milliseconds>) {
    return parse_duration(text);
  } else if constexpr (std::is_same_v<Value, Cidr>) {
    return Cidr::parse(text);
  } else {
    static_assert(std::is_same_v<Value, Endpoint>);
    return Endpoint::parse(text);
  }
}

template <class Value>
Result<void> read_into(std::vector<Value>& list, std::string_view text) {
  std::vector<Value> read;
  for (const auto piece : split(text, ',')) {
    auto value = read_value<Value>(piece);
    if (!value) return tl::unexpected(value.error());
    read.push_back(std::move(*value));
  }
  list = std::move(read);
  return {};
}

template <class Value>
Result<void> read_into(Value& member, std::string_view text) {
  auto value = read_value<Value>(text);
  if (!value) return tl::unexpected(value.error());
  member = std::move(*value);
  return {};
}

template <class Value>
std::string write_value(const Value& value) {
  if constexpr (std::is_enum_v<Value>) {
    const auto& known = words(Value{});
    const auto found =
      std::find_if(known.begin(), known.end(), [&](const auto& word) { return word.value == value; });
    return std::string(found->text);
  } else if constexpr (std::is_same_v<Value, std::string>) {
    return value;
  } else if constexpr (std::is_same_v<Value, std::uint64_t>) {
    return std::to_string(value);
  } else if constexpr (std::is_same_v<Value, Octets> || std::is_same_v<Value, milliseconds>) {
    return to_text(value);
  } else if constexpr (std::is_same_v<Value, Cidr> || std::is_same_v<Value, Endpoint>) {
    return value.to_text();
  } else {
    std::string text;
    for (const auto& item : value) text += (text.empty() ? "" : ",") + write_value(item);
    return text;
  }
}

template <auto Member>
std::string get(const Settings& settings) {
  return write_value(settings.*Member);
}

// ---- ranges ----

template <auto Member>
Result<void> any(Settings& settings, std::string_view text) {
  return read_into(settings.*Member, text);
}

/// Applies `read_into` to a copy and keeps it only when `is_good` holds.
template <auto Member, class Check>
Result<void> checked(Settings& settings, std::string_view text, Check is_good) {
  auto copy = settings.*Member;
  if (auto read = read_into(copy, text); !read) return read;
  if (!is_good(copy)) return permanent(Errc::invalid_argument, "outside the accepted range");
  settings.*Member = std::move(copy);
  return {};
}

template <auto Member, auto Lowest, auto Highest>
Result<void> range(Settings& settings, std::string_view text) {
  return checked<Member>(settings, text, [](auto value) {
    using Value = decltype(value);
    return value >= Value{Lowest} && value <= Value{Highest};
  });
}

/// Durations are template arguments as milliseconds, since a duration cannot be one.
template <auto Member, std::int64_t Lowest, std::int64_t Highest>
Result<void> lasting(Settings& settings, std::string_view text) {
  return checked<Member>(settings, text, [](milliseconds value) {
    return value >= milliseconds{Lowest} && value <= milliseconds{Highest};
  });
}
constexpr std::int64_t kSecond = 1000;
constexpr std::int64_t kMinute = 60 * kSecond;
constexpr std::int64_t kHour = 60 * kMinute;

template <auto Member>
Result<void> at_most_one(Settings& settings, std::string_view text) {
  return checked<Member>(settings, text, [](const auto& list) { return list.size() <= 1; });
}

template <auto Member>
Result<void> at_least_one(Settings& settings, std::string_view text) {
  return checked<Member>(settings, text, [](const auto& list) { return !list.empty(); });
}

template <auto Member>
Result<void> host_name(Settings& settings, std::string_view text) {
  return checked<Member>(settings, text, [](const std::string& name) {
    return name.empty() || is_host_name(name);
  });
}

template <auto Member>
Result<void> absolute_path(Settings& settings, std::string_view text) {
  return checked<Member>(settings, text, [](const std::string& path) { return path.starts_with('/'); });
}

template <auto Member>
Result<void> path_or_nothing(Settings& settings, std::string_view text) {
  return checked<Member>(settings, text, [](const std::string& path) {
    return path.empty() || path.starts_with('/');
  });
}

template <auto Member>
Result<void> loopback(Settings& settings, std::string_view text) {
  return checked<Member>(settings, text, [](const std::vector<Endpoint>& list) {
    return std::all_of(list.begin(), list.end(), [](const Endpoint& endpoint) {
      const auto address = IpAddress::parse(endpoint.host);
      return address && address->is_loopback();
    });
  });
}

// ---- the table ----

using S = Settings;
#define ROW_ACCESS(member, check) check, get<&S::member>

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
    "host_addresses", Shape::list, kNetworks, "", Reload::restart,
    "The node's own addresses, hidden sources too; the default gateway is found without being named.",
    ROW_ACCESS(host_addresses, any<&S::host_addresses>)
  },
  Setting{
    "smarthost", Shape::list, "host:port, or nothing", "", Reload::live,
    "Where all mail goes. Empty would mean delivery by MX, which is not there yet: then the relay does not "
    "start.",
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
    "passwd_client", Shape::text, "an absolute path", "/etc/exim4/passwd.client", Reload::live,
    "Exim's file of `host:user:password` lines; a missing file means no credentials.",
    ROW_ACCESS(passwd_client, absolute_path<&S::passwd_client>)
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
    "Inbound connections at a time; more are greeted with 421 4.3.2.",
    ROW_ACCESS(max_connections, (range<&S::max_connections, 1ULL, 100'000ULL>))
  },
  Setting{
    "bare_line_endings", Shape::text, "normalize or reject", "normalize", Reload::live,
    "A bare CR or LF in content: made CRLF, or the message refused with 550 5.5.2.",
    ROW_ACCESS(bare_line_endings, any<&S::bare_line_endings>)
  },
  Setting{
    "session_idle_timeout", Shape::text, "1s to 1h", "5m", Reload::live,
    "How long an inbound session may be silent (RFC 5321 4.5.3.2.7).",
    ROW_ACCESS(session_idle_timeout, (lasting<&S::session_idle_timeout, kSecond, kHour>))
  },
  Setting{
    "delivery_connections", Shape::number, "1 to 1000", "20", Reload::restart,
    "Connections to the smarthost at a time.",
    ROW_ACCESS(delivery_connections, (range<&S::delivery_connections, 1ULL, 1000ULL>))
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
    "Wait behind a first failure; it doubles with each further one, spread by a tenth.",
    ROW_ACCESS(retry_initial_delay, (lasting<&S::retry_initial_delay, 100, 24 * kHour>))
  },
  Setting{
    "retry_max_delay", Shape::text, "100ms to 24h", "1h", Reload::live,
    "The longest wait between two attempts.",
    ROW_ACCESS(retry_max_delay, (lasting<&S::retry_max_delay, 100, 24 * kHour>))
  },
  Setting{
    "retry_max_age", Shape::text, "1s to 720h", "120h", Reload::live,
    "Age at which a message that could not be delivered fails (RFC 5321 4.5.4.1: 4 to 5 days).",
    ROW_ACCESS(retry_max_age, (lasting<&S::retry_max_age, kSecond, 720 * kHour>))
  },
  Setting{
    "lame_duck", Shape::text, "0s to 10m", "20s", Reload::live,
    "On SIGTERM: how long mail is still accepted while /health and /readyz already answer 503.",
    ROW_ACCESS(lame_duck, (lasting<&S::lame_duck, 0, 10 * kMinute>))
  },
  Setting{
    "session_drain_timeout", Shape::text, "0s to 10m", "30s", Reload::live,
    "Behind the lame-duck time: how long transactions and deliveries in progress may take to finish.",
    ROW_ACCESS(session_drain_timeout, (lasting<&S::session_drain_timeout, 0, 10 * kMinute>))
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
    "File of the pod's annotations (a downward API volume), watched for `smtp.buildinglink.com/drain`.",
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

std::string code_or_nothing(std::string_view text) {
  return text.empty() ? "" : "`" + std::string(text) + "`";
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
    "lists as JSON arrays or with commas. An unknown key or `SMTP_RELAY_` variable is an error. "
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
  return page;
}

}  // namespace relay::config
