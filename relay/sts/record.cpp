#include "relay/sts/record.hpp"

#include <algorithm>

#include "relay/base/text.hpp"

namespace relay::sts {
namespace {

constexpr std::string_view kVersion = "v=STSv1";
constexpr std::size_t kMaxName = 32;
constexpr std::size_t kMaxId = 32;

bool is_id(std::string_view text) {
  return !text.empty() && text.size() <= kMaxId && std::all_of(text.begin(), text.end(), is_alnum);
}

bool is_field_value(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return is_printable(c) && c != ' ' && c != '=';
  });
}

/// The fields behind the version, or nothing when this is no such record.
std::optional<std::string_view> fields_of(std::string_view record) {
  if (!record.starts_with(kVersion)) return std::nullopt;
  const auto rest = trimmed(record.substr(kVersion.size()));
  if (!rest.starts_with(';')) return std::nullopt;
  return rest;
}

std::optional<std::string> id_of(std::string_view fields) {
  std::optional<std::string> id;
  for (const auto field : split(fields, ';')) {
    const auto equals = field.find('=');
    if (equals == std::string_view::npos) return std::nullopt;
    const auto key = field.substr(0, equals);
    const auto value = field.substr(equals + 1);
    if (!(key == "id" ? is_id(value) : is_field_name(key) && is_field_value(value))) return std::nullopt;
    if (key == "id" && !id) id = std::string(value);
  }
  return id;
}

}  // namespace

std::string record_name(std::string_view domain) { return "_mta-sts." + std::string(domain); }
std::string policy_host(std::string_view domain) { return "mta-sts." + std::string(domain); }

std::optional<std::string> policy_id(const std::vector<std::string>& records) {
  std::optional<std::string_view> only;
  for (const auto& record : records) {
    const auto fields = fields_of(record);
    if (fields && only) return std::nullopt;
    if (fields) only = fields;
  }
  return only ? id_of(*only) : std::nullopt;
}

bool is_field_name(std::string_view text) {
  return !text.empty() && text.size() <= kMaxName && is_alnum(text.front()) &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return is_alnum(c) || c == '_' || c == '-' || c == '.';
         });
}

}  // namespace relay::sts
