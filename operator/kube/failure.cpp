#include "operator/kube/failure.hpp"

#include <nlohmann/json.hpp>

#include "relay/base/text.hpp"

namespace op::kube {
namespace {

using relay::Errc;
using relay::Fate;

struct Meaning {
  Kind kind;
  Errc code;
  Fate fate;
};

Meaning meaning(unsigned status, bool has_retry_after) {
  switch (status) {
    case 404: return {Kind::not_found, Errc::not_found, Fate::permanent};
    case 409: return {Kind::conflict, Errc::conflict, Fate::transient};
    case 410: return {Kind::gone, Errc::not_found, Fate::transient};
    case 429: return {Kind::throttled, Errc::unavailable, Fate::transient};
    // Rights and credentials change without any event: worth another try, at a slow pace.
    case 401:
    case 403: return {Kind::forbidden, Errc::not_permitted, Fate::transient};
    case 400:
    case 422: return {Kind::invalid, Errc::invalid_argument, Fate::permanent};
    default: return {has_retry_after ? Kind::throttled : Kind::server, Errc::unavailable, Fate::transient};
  }
}

std::string words(std::string_view body) {
  const auto status = nlohmann::json::parse(body, nullptr, false);
  if (status.is_object() && status.contains("message") && status["message"].is_string())
    return status["message"].get<std::string>();
  return relay::printable(body, 200);
}

/// An API server behind its watch cache answers so when asked for a version it has not seen yet.
bool is_version_too_new(std::string_view said) {
  return said.find("Too large resource version") != std::string_view::npos;
}

}  // namespace

std::string_view name(Kind kind) {
  switch (kind) {
    case Kind::unreachable: return "unreachable";
    case Kind::cancelled: return "cancelled";
    case Kind::not_found: return "not found";
    case Kind::conflict: return "conflict";
    case Kind::gone: return "gone";
    case Kind::throttled: return "throttled";
    case Kind::forbidden: return "forbidden";
    case Kind::invalid: return "invalid";
    case Kind::server: return "server";
  }
  return "unknown";
}

Failure failed_exchange(const std::string& asked, const Error& error) {
  const auto kind = error.code == Errc::cancelled ? Kind::cancelled : Kind::unreachable;
  return {kind, {error.code, error.fate, asked + ": " + error.context}};
}

Failure refused(
  const std::string& asked, unsigned status, std::string_view body, std::optional<std::uint64_t> retry_after
) {
  const auto said = words(body);
  auto means = meaning(status, retry_after.has_value());
  if (is_version_too_new(said)) means = meaning(410, false);
  Failure failure{means.kind, {means.code, means.fate, asked + ": " + std::to_string(status) + " " + said}};
  // A server that asks for more than some minutes is more likely wrong than patient.
  if (retry_after) failure.retry_after = seconds{std::min<std::uint64_t>(*retry_after, 300)};
  return failure;
}

}  // namespace op::kube
