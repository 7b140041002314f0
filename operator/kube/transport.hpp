#pragma once
/// How requests reach the API server. Everything else in the operator sees only this.

#include <functional>
#include <stop_token>

#include "operator/kube/failure.hpp"

namespace op::kube {

enum class Method : std::uint8_t { get, post, put, patch, remove };
[[nodiscard]] std::string_view name(Method method);

struct Request {
  Method method = Method::get;
  std::string target;  ///< path and query, percent-encoded
  std::string body{};
  std::string content_type{};
  std::string accept = "application/json";
  milliseconds deadline{};  ///< of the whole exchange; of a stream: until its headers

  /// "GET /api/v1/...", for messages.
  [[nodiscard]] std::string asked() const { return std::string(name(method)) + " " + target; }
};

struct Response {
  unsigned status = 0;
  std::string body;
  std::optional<std::uint64_t> retry_after{};  ///< seconds
};

/// Takes octets of a body as they come, and says whether it wants more. The view is read during the call only.
using OnBytes = std::function<bool(std::string_view)>;

/// Blocking requests. Safe from any thread. A write is sent once or not at all: what got lost is for the caller to
/// repeat, who knows whether it still may.
///
/// Errors: Errc::timed_out, connection_failed, connection_lost, cancelled; any HTTP status is a Response.
class Transport {
 public:
  virtual ~Transport() = default;
  [[nodiscard]] virtual relay::Result<Response> send(const Request& request, std::stop_token stop) = 0;
  /// Tells of the headers of a 200 with no octets, then hands over its body until it ends or no more is wanted, and returns that 200 without it. Any other status
  /// is returned with its body. A stream that stays silent for longer than the implementation's idle limit is lost.
  [[nodiscard]] virtual relay::Result<Response> stream(
    const Request& request, const OnBytes& on_bytes, std::stop_token stop
  ) = 0;
};

}  // namespace op::kube
