#pragma once
/// What is asked over HTTPS, and what is answered: pure.

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "relay/base/network.hpp"
#include "relay/base/result.hpp"

namespace relay::web {

inline constexpr std::uint16_t kHttpsPort = 443;

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

/// Whether it may be a Request's target: nothing in it ends the request line.
[[nodiscard]] bool is_target(std::string_view text);

/// A GET of `https://host[:port][/path][?query]`. User names and fragments are refused. Errors: invalid_argument
/// (permanent).
[[nodiscard]] Result<Request> parse_url(std::string_view url);

}  // namespace relay::web
