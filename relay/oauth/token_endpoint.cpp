#include "relay/oauth/token_endpoint.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "relay/base/secrets.hpp"
#include "relay/base/text.hpp"

namespace relay::oauth {
namespace {

using nlohmann::json;
using Form = std::vector<std::pair<std::string_view, std::string_view>>;

constexpr std::size_t kMaxShown = 300;  // octets of an endpoint's words
constexpr unsigned kOk = 200;
constexpr unsigned kTooManyRequests = 429;

std::string percent_encoded(std::string_view text) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  constexpr std::string_view kUnreserved = "-._~";
  std::string out;
  for (const char c : text) {
    if (is_alnum(c) || kUnreserved.find(c) != std::string_view::npos) {
      out += c;
      continue;
    }
    const auto octet = static_cast<unsigned char>(c);
    out += '%';
    out += kHex[octet >> 4U];
    out += kHex[octet & 15U];
  }
  return out;
}

/// application/x-www-form-urlencoded, without fields that are empty.
std::string to_body(const Form& form) {
  std::string body;
  for (const auto& [name, value] : form) {
    if (value.empty()) continue;
    if (!body.empty()) body += '&';
    body.append(name).append("=").append(percent_encoded(value));
  }
  return body;
}

std::string text_of(const json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string{};
}

/// Some endpoints send the number as a string.
std::optional<std::uint64_t> number_of(const json& value) {
  if (value.is_number_unsigned()) return value.get<std::uint64_t>();
  if (value.is_string()) return parse_number(value.get<std::string>());
  return std::nullopt;
}

std::string shown(const std::string& words, const std::vector<std::string>& secrets) {
  const bool tells = std::any_of(secrets.begin(), secrets.end(), [&](const auto& secret) {
    return quotes_secret(words, secret) || quotes_secret(words, percent_encoded(secret));
  });
  return tells ? "(not shown: it quotes a secret)" : printable(words, kMaxShown);
}

tl::unexpected<Error> no_answer(std::string_view what) {
  return transient(Errc::protocol_error, "token endpoint: " + std::string(what));
}

tl::unexpected<Error> refusal(unsigned status, const json& answer, const std::vector<std::string>& secrets) {
  std::string words;
  if (answer.is_object()) {
    words = text_of(answer, "error");
    const auto description = text_of(answer, "error_description");
    if (!description.empty()) words += (words.empty() ? "" : ": ") + description;
  }
  const bool is_refused = status / 100 == 4 && status != kTooManyRequests;
  const auto code = is_refused ? Errc::not_permitted : Errc::unavailable;
  const auto said = words.empty() ? std::string{} : " " + shown(words, secrets);
  return transient(code, "token endpoint answered " + std::to_string(status) + said);
}

/// A token goes into a header or an AUTH response as it is (RFC 6750 section 2.1).
bool is_token(const std::string& text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return is_printable(c) && c != ' '; });
}

}  // namespace

Result<web::Request> token_request(const Account& account, const std::string& refresh_token) {
  auto request = web::parse_url(account.token_url);
  if (!request) return tl::unexpected(std::move(request.error()));
  request->method = "POST";
  request->headers = {
    {"Content-Type", "application/x-www-form-urlencoded"},
    {"Accept", "application/json"},
  };
  request->body = to_body({
    {"grant_type", refresh_token.empty() ? "client_credentials" : "refresh_token"},
    {"refresh_token", refresh_token},
    {"client_id", account.client_id},
    {"client_secret", account.client_secret},
    {"scope", account.scope},
  });
  return request;
}

Result<Grant> parse_grant(const web::Response& response, const std::vector<std::string>& secrets) {
  const auto answer = json::parse(response.body, nullptr, false);
  if (response.status != kOk) return refusal(response.status, answer, secrets);
  if (!answer.is_object()) return no_answer("answered no JSON object");
  Grant grant;
  grant.access_token = text_of(answer, "access_token");
  grant.refresh_token = text_of(answer, "refresh_token");
  if (!is_token(grant.access_token)) return no_answer("answered no access_token");
  const auto type = text_of(answer, "token_type");
  if (!type.empty() && !equals_ignoring_case(type, "bearer")) return no_answer("its token is not a bearer's");
  if (const auto lifetime = answer.find("expires_in"); lifetime != answer.end()) {
    const auto seconds = number_of(*lifetime);
    if (!seconds || *seconds == 0) return no_answer("its expires_in is not a number of seconds");
    grant.expires_in = std::chrono::seconds{std::min<std::uint64_t>(*seconds, 1U << 30U)};
  }
  return grant;
}

}  // namespace relay::oauth
