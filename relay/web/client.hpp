#pragma once
/// NAME      web -- a small HTTPS client: one request, one answer, one connection
/// USES      net, base
/// INVARIANT TLS with certificate and name verified, always; no redirect is followed; every answer is bounded in size
///           and time; nothing of a request stands in an error but its host
/// FAILURES  invalid_argument (permanent): the request itself. All others are transient, since the other side may be
///           mended: those of net::Resolver and net::Stream, protocol_error, too_large
/// LIMITS    kMaxResponseHeader; Limits::timeout and Limits::max_body

#include <cstdint>
#include <memory>

#include "relay/net/resolver.hpp"
#include "relay/net/tls.hpp"
#include "relay/web/message.hpp"

namespace relay::web {

/// Octets; of a chunk's own line and of the trailer as well.
inline constexpr std::size_t kMaxResponseHeader = 16U << 10U;

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

}  // namespace relay::web
