#pragma once
/// NAME      http -- a small HTTP server on the shards' own loops, so that its answers prove that the loops
///           are alive
/// USES      net, base
/// INVARIANT requests are bounded in size and time; a listener answers what its handler knows and 404 for the
///           rest
/// FAILURES  end that connection

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "relay/base/log.hpp"
#include "relay/net/listener.hpp"
#include "relay/net/task_group.hpp"

namespace relay::http {

struct Request {
  std::string method;
  std::string path;           ///< without its query
  std::string query;          ///< behind the '?', not decoded
  std::string authorization;  ///< that header's value
  std::string body;
};

struct Response {
  unsigned status = 200;
  std::string body;
  std::string content_type = "text/plain; charset=utf-8";
};

using Handler = std::function<net::Awaitable<Response>(Request)>;
/// How many octets of body a request may have, asked when its header is known (`body` is empty then): who may send
/// much is decided before any of it is kept. Longer ones are answered with 413.
using BodyLimit = std::function<std::size_t(const Request&)>;

/// Of a request's header, and of its body unless the server's BodyLimit says otherwise.
inline constexpr std::size_t kMaxRequest = 16U << 10U;
/// Of one server at a time; one more ends those that wait for a request. Probes and scrapes need a handful, and
/// descriptors are for mail.
inline constexpr std::size_t kMaxConnections = 100;

/// Serves one shard's share of some addresses: HTTP/1.1 with connections kept, HTTP/1.0, and a request line
/// without a version (`GET /health`, an F5's default), which is answered like HTTP/1.0. Thread: its shard's,
/// but for open().
class Server {
 public:
  /// Errors as net::Listener::open(). @param log  told of a handler's exceptions; outlives the server
  /// @param body_limit  empty: kMaxRequest for all
  [[nodiscard]] static Result<std::unique_ptr<Server>> open(
    net::asio::io_context& context, const std::vector<Endpoint>& endpoints, Handler handler, log::Sink& log,
    BodyLimit body_limit = {}
  );
  void start();
  /// Stops accepting and ends all connections.
  void close();
  [[nodiscard]] std::size_t connections() const { return tasks_.count(); }
  [[nodiscard]] std::vector<Endpoint> endpoints() const { return listener_->endpoints(); }

 private:
  Server(
    net::asio::io_context& context, std::unique_ptr<net::Listener> listener, Handler handler, log::Sink& log,
    BodyLimit body_limit
  );

  std::unique_ptr<net::Listener> listener_;
  Handler handler_;
  BodyLimit body_limit_;
  net::TaskGroup tasks_;
};

/// The value of a query's parameter (`limit=10&after=x`), with `%40` and the like decoded ('+' stays what it is);
/// empty when it is not there.
[[nodiscard]] std::string query_value(const std::string& query, const std::string& name);

}  // namespace relay::http
