#include "relay/tlsrpt/record.hpp"

#include <algorithm>

#include "relay/base/network.hpp"
#include "relay/base/text.hpp"

namespace relay::tlsrpt {
namespace {

constexpr std::string_view kVersion = "v=TLSRPTv1";
constexpr std::string_view kRua = "rua";
constexpr std::string_view kMailto = "mailto:";
constexpr std::string_view kHttps = "https://";
constexpr std::size_t kMaxUri = 2048;

int hex_value(char c) {
  if (is_digit(c)) return c - '0';
  const char low = ascii_lower(c);
  return low >= 'a' && low <= 'f' ? low - 'a' + 10 : -1;
}

std::optional<std::string> percent_decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    if (i + 2 >= text.size()) return std::nullopt;
    const int high = hex_value(text[i + 1]);
    const int low = hex_value(text[i + 2]);
    if (high < 0 || low < 0) return std::nullopt;
    out += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return out;
}

/// RFC 6068; header fields behind a '?' are not for a record to say.
std::optional<ReportTarget> parse_mailto(std::string_view rest) {
  const auto text = percent_decoded(rest.substr(0, rest.find('?')));
  if (!text) return std::nullopt;
  auto address = mail::Address::parse(*text);
  if (!address || address->domain().empty() || address->has_literal_domain()) return std::nullopt;
  return std::move(*address);
}

/// An address in place of a name would let a record point us anywhere without a certificate to answer for it.
bool is_named_host(std::string_view host) { return is_host_name(host) && !IpAddress::parse(host); }

std::optional<ReportTarget> parse_https(std::string_view rest) {
  rest = rest.substr(0, rest.find('#'));
  const auto path = std::min(rest.find_first_of("/?"), rest.size());
  auto host = rest.substr(0, path);
  std::uint64_t port = 443;
  if (const auto colon = host.find(':'); colon != std::string_view::npos) {
    const auto number = parse_number(host.substr(colon + 1));
    if (!number || *number == 0 || *number > 65'535) return std::nullopt;
    port = *number;
    host = host.substr(0, colon);
  }
  if (!is_named_host(host)) return std::nullopt;
  auto target = std::string(rest.substr(path));
  if (!target.starts_with('/')) target.insert(0, "/");
  return HttpsTarget{lower(host), static_cast<std::uint16_t>(port), std::move(target)};
}

bool is_uri_text(std::string_view uri) {
  return uri.size() <= kMaxUri &&
         std::all_of(uri.begin(), uri.end(), [](char c) { return is_printable(c) && c != ' '; });
}

std::optional<ReportTarget> parse_uri(std::string_view uri) {
  if (!is_uri_text(uri)) return std::nullopt;
  if (starts_with_ignoring_case(uri, kMailto)) return parse_mailto(uri.substr(kMailto.size()));
  if (starts_with_ignoring_case(uri, kHttps)) return parse_https(uri.substr(kHttps.size()));
  return std::nullopt;
}

std::vector<ReportTarget> parse_fields(std::string_view fields) {
  std::vector<ReportTarget> targets;
  for (const auto field : split(fields, ';')) {
    const auto equals = field.find('=');
    if (equals == std::string_view::npos) return {};
    if (field.substr(0, equals) != kRua) continue;
    for (const auto uri : split(field.substr(equals + 1), ',')) {
      auto target = parse_uri(uri);
      if (target && targets.size() < kMaxDestinations) targets.push_back(std::move(*target));
    }
  }
  return targets;
}

/// The fields behind the version, or nothing when this is no such record.
std::optional<std::string_view> fields_of(std::string_view record) {
  if (!record.starts_with(kVersion)) return std::nullopt;
  const auto rest = trimmed(record.substr(kVersion.size()));
  if (!rest.starts_with(';')) return std::nullopt;
  return rest;
}

}  // namespace

std::string to_text(const ReportTarget& target) {
  if (const auto* address = std::get_if<mail::Address>(&target))
    return std::string(kMailto) + address->to_text();
  const auto& https = std::get<HttpsTarget>(target);
  const auto port = https.port == 443 ? std::string{} : ":" + std::to_string(https.port);
  return std::string(kHttps) + https.host + port + https.target;
}

std::string record_name(std::string_view domain) { return "_smtp._tls." + std::string(domain); }

std::vector<ReportTarget> parse_tlsrpt_record(const std::vector<std::string>& records) {
  std::optional<std::string_view> only;
  for (const auto& record : records) {
    const auto fields = fields_of(record);
    if (fields && only) return {};
    if (fields) only = fields;
  }
  return only ? parse_fields(*only) : std::vector<ReportTarget>{};
}

}  // namespace relay::tlsrpt
