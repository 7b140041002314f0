#include "relay/sts/policy.hpp"

#include <algorithm>
#include <array>
#include <optional>

#include "relay/base/network.hpp"
#include "relay/base/text.hpp"
#include "relay/sts/record.hpp"

namespace relay::sts {
namespace {

constexpr std::string_view kVersion = "STSv1";
constexpr std::string_view kWildcard = "*.";
constexpr std::size_t kMaxAgeDigits = 10;  // section 3.2

/// What was read so far.
struct Draft {
  bool has_version = false;
  std::optional<Mode> mode;
  std::optional<std::chrono::seconds> max_age;
  std::vector<std::string> mx;
};

bool read_version(Draft& draft, std::string_view value) {
  if (draft.has_version) return true;
  draft.has_version = true;
  return value == kVersion;
}

bool read_mode(Draft& draft, std::string_view value) {
  if (draft.mode) return true;
  for (const auto mode : {Mode::enforce, Mode::testing, Mode::none}) {
    if (value == name(mode)) draft.mode = mode;
  }
  return draft.mode.has_value();
}

bool read_max_age(Draft& draft, std::string_view value) {
  if (draft.max_age) return true;
  const auto number = parse_number(value);
  if (!number || value.size() > kMaxAgeDigits || *number > static_cast<std::uint64_t>(kMaxAge.count()))
    return false;
  draft.max_age = std::chrono::seconds{*number};
  return true;
}

bool read_mx(Draft& draft, std::string_view value) {
  const bool is_wildcard = value.starts_with(kWildcard);
  if (!is_host_name(is_wildcard ? value.substr(kWildcard.size()) : value)) return false;
  if (draft.mx.size() == kMaxPatterns) return false;
  draft.mx.push_back(lower(value));
  return true;
}

struct Field {
  std::string_view key;
  bool (*read)(Draft& draft, std::string_view value);  // false: the value is not valid
};
constexpr std::array<Field, 4> kFields{{
  {"version", read_version},
  {"mode", read_mode},
  {"max_age", read_max_age},
  {"mx", read_mx},
}};

/// Unknown values may hold UTF-8, so octets above 0x7F pass.
bool holds_control(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7F;
  });
}

/// What is wrong with a line; empty when nothing is.
std::string_view read_line(Draft& draft, std::string_view line) {
  if (holds_control(line)) return "a control character";
  const auto colon = line.find(':');
  if (colon == std::string_view::npos || !is_field_name(line.substr(0, colon)))
    return "a line that is no field";
  const auto key = line.substr(0, colon);
  const auto field =
    std::find_if(kFields.begin(), kFields.end(), [&](const Field& f) { return f.key == key; });
  if (field == kFields.end() || field->read(draft, trimmed(line.substr(colon + 1)))) return {};
  return field->key;
}

tl::unexpected<Error> invalid(std::string_view what) {
  return permanent(Errc::protocol_error, "MTA-STS policy: " + std::string(what));
}

}  // namespace

std::string_view name(Mode mode) {
  switch (mode) {
    case Mode::enforce: return "enforce";
    case Mode::testing: return "testing";
    case Mode::none: return "none";
  }
  return "none";
}

Result<Policy> parse_policy(std::string_view text) {
  if (text.size() > kMaxPolicyOctets) return permanent(Errc::too_large, "MTA-STS policy: more than 64 KiB");
  Draft draft;
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    auto line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (trimmed(line).empty()) continue;
    if (const auto fault = read_line(draft, line); !fault.empty())
      return invalid("not valid: " + std::string(fault));
  }
  if (!draft.has_version) return invalid("no version");
  if (!draft.mode) return invalid("no mode");
  if (!draft.max_age) return invalid("no max_age");
  if (draft.mx.empty() && *draft.mode != Mode::none) return invalid("no mx");
  return Policy{*draft.mode, *draft.max_age, std::move(draft.mx)};
}

std::vector<std::string> to_lines(const Policy& policy) {
  std::vector<std::string> lines{
    "version: " + std::string(kVersion), "mode: " + std::string(name(policy.mode))
  };
  for (const auto& pattern : policy.mx) lines.push_back("mx: " + pattern);
  lines.push_back("max_age: " + std::to_string(policy.max_age.count()));
  return lines;
}

std::string to_text(const Policy& policy) {
  std::string text;
  for (const auto& line : to_lines(policy)) text += line + "\n";
  return text;
}

bool matches(const Policy& policy, std::string_view mx_host) {
  if (mx_host.ends_with('.')) mx_host.remove_suffix(1);
  const auto host = lower(mx_host);
  const auto dot = host.find('.');
  const auto parent = dot == 0 || dot == std::string::npos ? std::string{} : host.substr(dot + 1);
  return std::any_of(policy.mx.begin(), policy.mx.end(), [&](std::string_view pattern) {
    if (!pattern.starts_with(kWildcard)) return pattern == host;
    return !parent.empty() && pattern.substr(kWildcard.size()) == parent;
  });
}

}  // namespace relay::sts
