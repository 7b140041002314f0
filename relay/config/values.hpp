#pragma once
/// How values of settings are read from text and written to it, and the checks that the tables name.
///
/// A row's `set` and `get` are made from a pointer to its member: `any<&Settings::hostname>`. What `get` writes
/// `set` reads back. Errors: Errc::invalid_argument, permanent; the member is then unchanged.

#include <algorithm>
#include <array>
#include <chrono>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "relay/base/text.hpp"
#include "relay/config/settings.hpp"

namespace relay::config {

// ---- words of enumerations ----

template <class Enum>
struct Word {
  std::string_view text;
  Enum value;
};
inline constexpr std::array kTlsModes{
  Word<smtp::TlsMode>{"none", smtp::TlsMode::none},
  Word<smtp::TlsMode>{"opportunistic", smtp::TlsMode::opportunistic},
  Word<smtp::TlsMode>{"required", smtp::TlsMode::required},
  Word<smtp::TlsMode>{"implicit", smtp::TlsMode::implicit}
};
inline constexpr std::array kBareLineEndings{
  Word<smtp::BareLineEndings>{"normalize", smtp::BareLineEndings::normalize},
  Word<smtp::BareLineEndings>{"reject", smtp::BareLineEndings::reject}
};
inline constexpr std::array kDurabilities{
  Word<Durability>{"strict", Durability::strict}, Word<Durability>{"relaxed", Durability::relaxed}
};
inline constexpr std::array kTlsVersions{
  Word<TlsVersion>{"1.2", TlsVersion::tls1_2}, Word<TlsVersion>{"1.3", TlsVersion::tls1_3}
};
inline constexpr std::array kAuthMechanisms{
  Word<AuthMechanism>{"passwd_client", AuthMechanism::passwd_client},
  Word<AuthMechanism>{"none", AuthMechanism::none},
  Word<AuthMechanism>{"any", AuthMechanism::any},
  Word<AuthMechanism>{"plain", AuthMechanism::plain},
  Word<AuthMechanism>{"login", AuthMechanism::login},
  Word<AuthMechanism>{"scram-sha-256", AuthMechanism::scram_sha_256},
  Word<AuthMechanism>{"xoauth2", AuthMechanism::xoauth2}
};
inline constexpr std::array kMxTls{
  Word<MxTls>{"none", MxTls::none}, Word<MxTls>{"opportunistic", MxTls::opportunistic},
  Word<MxTls>{"policy", MxTls::policy}, Word<MxTls>{"required", MxTls::required}
};
inline constexpr std::array kClientTls{
  Word<ClientTls>{"none", ClientTls::none}, Word<ClientTls>{"opportunistic", ClientTls::opportunistic},
  Word<ClientTls>{"required", ClientTls::required}
};
inline constexpr std::array kListenerTls{
  Word<ListenerTls>{"none", ListenerTls::none}, Word<ListenerTls>{"optional", ListenerTls::optional},
  Word<ListenerTls>{"required", ListenerTls::required}, Word<ListenerTls>{"implicit", ListenerTls::implicit}
};
inline constexpr std::array kListenerAuth{
  Word<ListenerAuth>{"optional", ListenerAuth::optional},
  Word<ListenerAuth>{"required", ListenerAuth::required}
};
inline constexpr std::array kSwitches{Word<Switch>{"off", Switch::off}, Word<Switch>{"on", Switch::on}};
inline constexpr std::array kAddressLogs{
  Word<AddressLog>{"plain", AddressLog::plain}, Word<AddressLog>{"redacted", AddressLog::redacted}
};
inline constexpr std::array kLogLevels{
  Word<log::Level>{"debug", log::Level::debug}, Word<log::Level>{"info", log::Level::info},
  Word<log::Level>{"warning", log::Level::warning}, Word<log::Level>{"error", log::Level::error}
};
inline constexpr std::array kHealthFaults{
  Word<HealthFault>{"smarthost_down", HealthFault::smarthost_down},
  Word<HealthFault>{"credentials_refused", HealthFault::credentials_refused}
};
inline constexpr std::array kPolicyActions{
  Word<policy::Action>{"accept", policy::Action::accept},
  Word<policy::Action>{"reject", policy::Action::reject},
  Word<policy::Action>{"defer", policy::Action::defer},
  Word<policy::Action>{"discard", policy::Action::discard},
  Word<policy::Action>{"hold", policy::Action::hold},
  Word<policy::Action>{"redirect", policy::Action::redirect},
  Word<policy::Action>{"route", policy::Action::route},
  Word<policy::Action>{"limit", policy::Action::limit},
  Word<policy::Action>{"add_header", policy::Action::add_header},
  Word<policy::Action>{"remove_header", policy::Action::remove_header},
  Word<policy::Action>{"rewrite_sender", policy::Action::rewrite_sender},
  Word<policy::Action>{"set_priority", policy::Action::set_priority},
  Word<policy::Action>{"copy", policy::Action::copy}
};
inline constexpr std::array kLimitKeys{
  Word<policy::LimitKey>{"client", policy::LimitKey::client},
  Word<policy::LimitKey>{"user", policy::LimitKey::user},
  Word<policy::LimitKey>{"sender", policy::LimitKey::sender},
  Word<policy::LimitKey>{"sender_domain", policy::LimitKey::sender_domain}
};
inline constexpr std::array kLimitUnits{
  Word<policy::LimitUnit>{"messages", policy::LimitUnit::messages},
  Word<policy::LimitUnit>{"recipients", policy::LimitUnit::recipients}
};
inline constexpr std::array kPriorities{
  Word<mail::Priority>{"normal", mail::Priority::normal}, Word<mail::Priority>{"bulk", mail::Priority::bulk}
};
inline constexpr std::array kModes{
  Word<policy::Mode>{"deliver", policy::Mode::deliver}, Word<policy::Mode>{"capture", policy::Mode::capture},
  Word<policy::Mode>{"redirect", policy::Mode::redirect},
  Word<policy::Mode>{"allowlist", policy::Mode::allowlist}
};
inline constexpr std::array kOthers{
  Word<policy::Others>{"capture", policy::Others::capture},
  Word<policy::Others>{"reject", policy::Others::reject}
};
inline constexpr std::array kMilterFailures{
  Word<MilterFailure>{"defer", MilterFailure::defer}, Word<MilterFailure>{"accept", MilterFailure::accept},
  Word<MilterFailure>{"reject", MilterFailure::reject}
};
constexpr const auto& words(smtp::TlsMode) { return kTlsModes; }
constexpr const auto& words(smtp::BareLineEndings) { return kBareLineEndings; }
constexpr const auto& words(Durability) { return kDurabilities; }
constexpr const auto& words(TlsVersion) { return kTlsVersions; }
constexpr const auto& words(AuthMechanism) { return kAuthMechanisms; }
constexpr const auto& words(MxTls) { return kMxTls; }
constexpr const auto& words(ClientTls) { return kClientTls; }
constexpr const auto& words(ListenerTls) { return kListenerTls; }
constexpr const auto& words(ListenerAuth) { return kListenerAuth; }
constexpr const auto& words(Switch) { return kSwitches; }
constexpr const auto& words(AddressLog) { return kAddressLogs; }
constexpr const auto& words(log::Level) { return kLogLevels; }
constexpr const auto& words(HealthFault) { return kHealthFaults; }
constexpr const auto& words(policy::Action) { return kPolicyActions; }
constexpr const auto& words(policy::LimitKey) { return kLimitKeys; }
constexpr const auto& words(policy::LimitUnit) { return kLimitUnits; }
constexpr const auto& words(mail::Priority) { return kPriorities; }
constexpr const auto& words(policy::Mode) { return kModes; }
constexpr const auto& words(policy::Others) { return kOthers; }
constexpr const auto& words(MilterFailure) { return kMilterFailures; }

// ---- reading and writing ----

[[nodiscard]] bool is_label(std::string_view text);
/// Errors: invalid_argument; no ASCII address, or one whose domain is no name.
[[nodiscard]] Result<void> check_address(std::string_view text);
/// `100/1m`: how many in which time.
[[nodiscard]] Result<queue::Rate> parse_rate(std::string_view text);
[[nodiscard]] std::string to_text(const queue::Rate& rate);
/// `2` or `1.5`, with two decimals at most. Errors: invalid_argument.
[[nodiscard]] Result<queue::Factor> parse_factor(std::string_view text);
/// The shortest text that parse_factor reads back.
[[nodiscard]] std::string to_text(queue::Factor factor);
using relay::to_text;

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
  } else if constexpr (std::is_same_v<Value, queue::Rate>) {
    return parse_rate(text);
  } else if constexpr (std::is_same_v<Value, queue::Factor>) {
    return parse_factor(text);
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

/// Nothing when the text is empty.
template <class Value>
Result<void> read_into(std::optional<Value>& member, std::string_view text) {
  if (text.empty()) {
    member.reset();
    return {};
  }
  auto value = read_value<Value>(text);
  if (!value) return tl::unexpected(value.error());
  member = std::move(*value);
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
std::string write_value(const Value& value);

template <class Value>
std::string write_value(const std::optional<Value>& value) {
  return value ? write_value(*value) : std::string();
}

template <class Value>
std::string write_value(const std::vector<Value>& list) {
  std::string text;
  for (const auto& item : list) text += (text.empty() ? "" : ",") + write_value(item);
  return text;
}

template <class Value>
std::string write_value(const Value& value) {
  if constexpr (std::is_enum_v<Value>) {
    const auto& known = words(Value{});
    const auto found =
      std::find_if(known.begin(), known.end(), [&](const auto& word) { return word.value == value; });
    return found == known.end() ? std::string() : std::string(found->text);
  } else if constexpr (std::is_same_v<Value, std::string>) {
    return value;
  } else if constexpr (std::is_same_v<Value, std::uint64_t>) {
    return std::to_string(value);
  } else if constexpr (std::is_same_v<Value, Cidr> || std::is_same_v<Value, Endpoint>) {
    return value.to_text();
  } else {
    return to_text(value);
  }
}

// ---- a row's access to its member ----

template <class Member>
struct Owner;
template <class Object, class Value>
struct Owner<Value Object::*> {
  using type = Object;
};
/// The struct that a pointer to member points into.
template <auto Member>
using OwnerOf = typename Owner<decltype(Member)>::type;

template <auto Member>
std::string get(const OwnerOf<Member>& object) {
  return write_value(object.*Member);
}

template <auto Member>
Result<void> any(OwnerOf<Member>& object, std::string_view text) {
  return read_into(object.*Member, text);
}

/// Applies `read_into` to a copy and keeps it only when `is_good` holds.
template <auto Member, class Check>
Result<void> checked(OwnerOf<Member>& object, std::string_view text, Check is_good) {
  auto copy = object.*Member;
  if (auto read = read_into(copy, text); !read) return read;
  if (!is_good(copy)) return permanent(Errc::invalid_argument, "outside the accepted range");
  object.*Member = std::move(copy);
  return {};
}

template <auto Member, auto Lowest, auto Highest>
Result<void> range(OwnerOf<Member>& object, std::string_view text) {
  const auto is_good = [](auto value) {
    using Value = decltype(value);
    return value >= Value{Lowest} && value <= Value{Highest};
  };
  return checked<Member>(object, text, [&](const auto& value) {
    if constexpr (requires { value.has_value(); }) return !value || is_good(*value);
    else return is_good(value);
  });
}

/// Durations are template arguments as milliseconds, since a duration cannot be one.
template <auto Member, std::int64_t Lowest, std::int64_t Highest>
Result<void> lasting(OwnerOf<Member>& object, std::string_view text) {
  const auto is_good = [](milliseconds value) {
    return value >= milliseconds{Lowest} && value <= milliseconds{Highest};
  };
  return checked<Member>(object, text, [&](const auto& value) {
    if constexpr (std::is_same_v<std::decay_t<decltype(value)>, milliseconds>) return is_good(value);
    else return !value || is_good(*value);
  });
}
inline constexpr std::int64_t kSecond = 1000;
inline constexpr std::int64_t kMinute = 60 * kSecond;
inline constexpr std::int64_t kHour = 60 * kMinute;

template <auto Member>
Result<void> at_most_one(OwnerOf<Member>& object, std::string_view text) {
  return checked<Member>(object, text, [](const auto& list) { return list.size() <= 1; });
}

template <auto Member>
Result<void> at_least_one(OwnerOf<Member>& object, std::string_view text) {
  return checked<Member>(object, text, [](const auto& list) { return !list.empty(); });
}

template <auto Member>
Result<void> host_name(OwnerOf<Member>& object, std::string_view text) {
  return checked<Member>(object, text, [](const std::string& name) {
    return name.empty() || is_host_name(name);
  });
}

/// A name for people and keys: letters, digits and hyphens, at most 63 of them.
template <auto Member>
Result<void> label(OwnerOf<Member>& object, std::string_view text) {
  return checked<Member>(object, text, [](const std::string& name) { return is_label(name); });
}

/// `example.org`, `*.example.org` (any name below it) or `*`.
template <auto Member>
Result<void> domain_patterns(OwnerOf<Member>& object, std::string_view text) {
  return checked<Member>(object, text, [](const std::vector<std::string>& patterns) {
    return std::all_of(patterns.begin(), patterns.end(), [](const std::string& pattern) {
      return pattern == "*" || is_host_name(pattern.starts_with("*.") ? pattern.substr(2) : pattern);
    });
  });
}

/// Longer patterns are for no address (RFC 5321 section 4.5.3.1), nor for what fits into a line of a header.
inline constexpr std::size_t kMaxGlob = 320;
/// A pattern as policy/glob.hpp reads them, in a list: without blanks and control characters.
[[nodiscard]] bool is_glob(std::string_view text);
template <auto Member>
Result<void> globs(OwnerOf<Member>& object, std::string_view text) {
  return checked<Member>(object, text, [](const std::vector<std::string>& patterns) {
    return std::all_of(patterns.begin(), patterns.end(), [](const auto& pattern) {
      return is_glob(pattern);
    });
  });
}
inline constexpr std::string_view kGlobs =
  "patterns without blanks and commas, `*` for anything and `?` for one octet";

template <auto Member>
Result<void> absolute_path(OwnerOf<Member>& object, std::string_view text) {
  return checked<Member>(object, text, [](const std::string& path) { return path.starts_with('/'); });
}

template <auto Member>
Result<void> path_or_nothing(OwnerOf<Member>& object, std::string_view text) {
  return checked<Member>(object, text, [](const std::string& path) {
    return path.empty() || path.starts_with('/');
  });
}

/// What check_address() accepts, or nothing.
template <auto Member>
Result<void> address_or_nothing(OwnerOf<Member>& object, std::string_view text) {
  if (!text.empty()) {
    if (auto good = check_address(text); !good) return good;
  }
  return read_into(object.*Member, text);
}

template <auto Member>
Result<void> loopback(OwnerOf<Member>& object, std::string_view text) {
  return checked<Member>(object, text, [](const std::vector<Endpoint>& list) {
    return std::all_of(list.begin(), list.end(), [](const Endpoint& endpoint) {
      const auto address = IpAddress::parse(endpoint.host);
      return address && address->is_loopback();
    });
  });
}

}  // namespace relay::config
