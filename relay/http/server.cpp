#include "relay/http/server.hpp"

#include <algorithm>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <chrono>
#include <sstream>
#include <utility>

#include "relay/base/text.hpp"

namespace relay::http {
namespace {

namespace beast_http = boost::beast::http;
using net::Awaitable;
using net::Stream;

constexpr milliseconds kRequestTimeout = std::chrono::seconds{10};
constexpr milliseconds kIdleTimeout = std::chrono::seconds{60};
constexpr milliseconds kWriteTimeout = std::chrono::seconds{10};
constexpr unsigned kHttp10 = 10;

struct Exchange {
  Request request;
  unsigned version = kHttp10;  // 10 or 11
  bool keeps_alive = false;
};

void set_target(Request& request, std::string_view target) {
  const auto query = target.find('?');
  request.path = target.substr(0, query);
  request.query = query == std::string_view::npos ? "" : target.substr(query + 1);
}

/// A first line such as `GET /health`: a method and a path, and nothing behind them.
bool is_without_version(std::string_view line) {
  return split(line, ' ').size() == 2 && line.find("HTTP/") == std::string_view::npos;
}

std::string to_wire(const Response& response, const Exchange& exchange) {
  beast_http::response<beast_http::string_body> message{
    static_cast<beast_http::status>(response.status), exchange.version, response.body
  };
  message.set(beast_http::field::content_type, response.content_type);
  message.set(beast_http::field::cache_control, "no-store");
  message.keep_alive(exchange.keeps_alive);
  message.prepare_payload();
  if (exchange.request.method == "HEAD") message.body().clear();
  std::ostringstream wire;
  wire << message;
  return wire.str();
}

/// One client: requests in, responses out, one after the other.
class Connection {
 public:
  Connection(Stream& stream, const Handler& handler) : stream_(stream), handler_(handler) {}

  Awaitable<void> run() {
    auto timeout = kRequestTimeout;
    while (true) {
      auto exchange = co_await read_request(timeout);
      if (!exchange) {
        if (exchange.error().code == Errc::protocol_error) co_await refuse();
        co_return;
      }
      auto request = exchange->request;
      auto response = co_await handler_(std::move(request));
      const auto wire = to_wire(response, *exchange);
      auto written = co_await stream_.write_all(wire, kWriteTimeout);
      if (!written || !exchange->keeps_alive) co_return;
      timeout = kIdleTimeout;
    }
  }

 private:
  /// @param timeout  for the first octets; then kRequestTimeout for all of the request
  Awaitable<Result<Exchange>> read_request(milliseconds timeout) {
    deadline_ = std::chrono::steady_clock::now() + timeout;
    auto line = co_await read_line();
    if (!line) co_return tl::unexpected(std::move(line.error()));
    if (is_without_version(*line)) {
      Exchange bare;
      const auto words = split(*line, ' ');
      bare.request.method = words[0];
      set_target(bare.request, words[1]);
      co_return bare;
    }
    deadline_ = std::chrono::steady_clock::now() + kRequestTimeout;
    auto parsed = co_await parse_request();
    co_return parsed;
  }

  /// The first line, left in `received_`.
  Awaitable<Result<std::string>> read_line() {
    while (true) {
      const auto end = received_.find('\n');
      if (end != std::string::npos) {
        std::string line = received_.substr(0, end);
        if (line.ends_with('\r')) line.pop_back();
        co_return line;
      }
      auto more = co_await receive();
      if (!more) co_return tl::unexpected(std::move(more.error()));
    }
  }

  Awaitable<Result<void>> receive() {
    if (received_.size() >= kMaxRequest) co_return permanent(Errc::protocol_error, "request too large");
    const auto left = deadline_ - std::chrono::steady_clock::now();
    const auto timeout = std::max(std::chrono::duration_cast<milliseconds>(left), milliseconds{1});
    auto octets = co_await stream_.receive(timeout);
    if (!octets) co_return tl::unexpected(std::move(octets.error()));
    received_.append(*octets);
    Result<void> done;
    co_return done;
  }

  Awaitable<Result<Exchange>> parse_request() {
    beast_http::request_parser<beast_http::string_body> parser;
    parser.eager(true);
    parser.header_limit(kMaxRequest);
    parser.body_limit(kMaxRequest);
    while (true) {
      boost::system::error_code ec;
      const auto taken = parser.put(net::asio::buffer(received_), ec);
      received_.erase(0, taken);
      if (ec && ec != beast_http::error::need_more) co_return permanent(Errc::protocol_error, ec.message());
      if (parser.is_done()) break;
      auto more = co_await receive();
      if (!more) co_return tl::unexpected(std::move(more.error()));
    }
    const auto& message = parser.get();
    Exchange exchange;
    exchange.request.method = std::string(message.method_string());
    set_target(exchange.request, std::string_view(message.target().data(), message.target().size()));
    exchange.request.authorization = std::string(message[beast_http::field::authorization]);
    exchange.version = message.version();
    exchange.keeps_alive = message.keep_alive();
    co_return exchange;
  }

  Awaitable<void> refuse() {
    const Response response{400, "Bad request\n"};
    const auto wire = to_wire(response, Exchange{});
    auto written = co_await stream_.write_all(wire, kWriteTimeout);
    if (written) co_await stream_.close_gently();
  }

  Stream& stream_;
  const Handler& handler_;
  std::string received_;
  std::chrono::steady_clock::time_point deadline_;  // of the request that is being read
};

Awaitable<void> serve(Stream stream, net::TaskGroup& tasks, const Handler& handler) {
  const net::TaskGroup::Membership membership(tasks, stream.handle());
  Connection connection(stream, handler);
  co_await connection.run();
}

}  // namespace

Server::Server(
  net::asio::io_context& context, std::unique_ptr<net::Listener> listener, Handler handler, log::Sink& log
)
    : listener_(std::move(listener)),
      handler_(std::move(handler)),
      tasks_(context.get_executor(), [&log](const std::string& what) {
        log.write(log::error("exception").with("in", "http").with("error", what));
      }) {}

Result<std::unique_ptr<Server>> Server::open(
  net::asio::io_context& context, const std::vector<Endpoint>& endpoints, Handler handler, log::Sink& log
) {
  auto listener = net::Listener::open(context, endpoints);
  if (!listener) return tl::unexpected(listener.error());
  return std::unique_ptr<Server>(new Server(context, std::move(*listener), std::move(handler), log));
}

void Server::start() {
  listener_->start([this](Stream stream) {
    // Probes must get through, so those that keep connections without asking give way.
    if (tasks_.count() >= kMaxConnections) tasks_.interrupt_all();
    tasks_.spawn(serve(std::move(stream), tasks_, handler_));
  });
}

void Server::close() {
  listener_->close();
  tasks_.close_all();
}

std::string query_value(const std::string& query, const std::string& name) {
  for (const auto pair : split(query, '&')) {
    const auto equals = pair.find('=');
    if (equals != std::string_view::npos && pair.substr(0, equals) == name)
      return std::string(pair.substr(equals + 1));
  }
  return {};
}

}  // namespace relay::http
