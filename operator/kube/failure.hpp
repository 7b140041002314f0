#pragma once
/// NAME      kube -- a small Kubernetes API client: requests, watches, credentials
/// USES      base; cpprestsdk in one file (cpprest_transport.cpp)
/// INVARIANT nothing here knows any resource of ours; every request has a deadline and ends when it is told to stop
/// FAILURES  values of type Failure: what kind, its fate, and when the server wants to be asked again
/// LIMITS    HTTP/1.1; kubeconfigs with exec plugins or without certificate checks are refused

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "relay/base/result.hpp"
#include "relay/base/units.hpp"

namespace op::kube {

using relay::Error;
using relay::milliseconds;
using relay::seconds;

/// What the callers tell apart.
enum class Kind : std::uint8_t {
  unreachable,  ///< no answer: refused, lost, timed out
  cancelled,    ///< we stopped it
  not_found,    ///< 404
  conflict,     ///< 409: somebody else changed it first
  gone,         ///< 410, or a resource version the server can't serve: list again
  throttled,    ///< 429, or 503 with Retry-After
  forbidden,    ///< 401, 403
  invalid,      ///< 400, 422: the same request never succeeds
  server,       ///< any other refusal
};
[[nodiscard]] std::string_view name(Kind kind);

struct Failure {
  Kind kind = Kind::server;
  Error error;  ///< `context` says what was asked and what the server answered
  std::optional<milliseconds> retry_after{};
  [[nodiscard]] std::string message() const { return error.message(); }
};

template <class T>
using Answer = tl::expected<T, Failure>;

/// A request that got no answer, or was cut off.
[[nodiscard]] Failure failed_exchange(const std::string& asked, const Error& error);

/// An answer with a status other than 2xx. The body is a metav1.Status, or anything a proxy wrote.
/// @param retry_after  of the header, in seconds
[[nodiscard]] Failure refused(
  const std::string& asked, unsigned status, std::string_view body, std::optional<std::uint64_t> retry_after
);

}  // namespace op::kube
