#pragma once
/// NAME      web -- a small HTTPS client: one request, one answer, one connection
/// USES      net, base
/// INVARIANT TLS with certificate and name verified, always; no redirect is followed; every answer is bounded in size
///           and time; nothing of a request stands in an error but its host
/// FAILURES  invalid_argument (permanent): the request itself. All others are transient, since the other side may be
///           mended: those of net::Resolver and net::Stream, protocol_error, too_large
/// LIMITS    kMaxResponseHeader; Limits::timeout and Limits::max_body

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "relay/net/resolver.hpp"
#include "relay/net/tls.hpp"

namespace relay::web {

inline constexpr std::uint16_t kHttpsPort = 443;
/// Octets; of a chunk's own line and of the trailer as well.
inline constexpr std::size_t kMaxResponseHeader = 16U << 10U;

struct Request {
  std::string method = "GET";
  std::string host;  ///< a name or an address, without brackets: looked up, verified, and said in Host
  std::uint16_t port = kHttpsPort;
  std::string target = "/";                                  ///< path and query, percent-encoded
  std::vector<std::pair<std::string, std::string>> headers;  ///< besides Host, Connection and Content-Length
  std::string body;
  /// Where it may go, for a host that a stranger named; empty: anywhere.
  std::function<bool(const IpAddress&)> may_connect{};
};

/// Whatever the status is: a 404 is an answer.
struct Response {
  unsigned status = 0;
  std::string content_type;  ///< that header's value, or empty
  std::string body;          ///< chunks put together
};

struct Limits {
  milliseconds timeout = std::chrono::seconds{30};  ///< from the lookup to the last octet
  std::size_t max_body = 64U << 10U;                ///< octets
};

/// HTTPS only, certificate and name verified, no redirects followed, HTTP/1.1, Connection: close.
///
/// A body whose end only the connection's end tells is refused (protocol_error): with TLS it can't be told from one
/// that was cut short. HTTP/1.1 servers send a length or chunks.
///
/// Thread: the caller's shard, on which the connection lives. `resolver` outlives the call.
[[nodiscard]] net::Awaitable<Result<Response>> fetch(
  net::Resolver& resolver, std::shared_ptr<net::TlsClient> tls, Request request, Limits limits
);

/// A GET of `https://host[:port][/path][?query]`. User names and fragments are refused. Errors: invalid_argument
/// (permanent).
[[nodiscard]] Result<Request> parse_url(std::string_view url);

}  // namespace relay::web
