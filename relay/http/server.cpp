#include "relay/http/server.hpp"

#include <algorithm>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <chrono>
#include <limits>
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
constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

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

int hex_digit(char c) {
  if (is_digit(c)) return c - '0';
  const char letter = ascii_lower(c);
  return letter >= 'a' && letter <= 'f' ? letter - 'a' + 10 : -1;
}

/// RFC 3986 section 2.1; what is no such sequence stays as it is.
std::string decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool has_two = text[i] == '%' && i + 2 < text.size();
    const int high = has_two ? hex_digit(text[i + 1]) : -1;
    const int low = has_two ? hex_digit(text[i + 2]) : -1;
    if (high < 0 || low < 0) {
      out += text[i];
      continue;
    }
    out += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return out;
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
  Connection(Stream& stream, const Handler& handler, const BodyLimit& body_limit)
      : stream_(stream), handler_(handler), body_limit_(body_limit) {}

  Awaitable<void> run() {
    auto timeout = kRequestTimeout;
    while (true) {
      auto exchange = co_await read_request(timeout);
      if (!exchange) {
        if (exchange.error().code == Errc::protocol_error) co_await refuse(400, "Bad request\n");
        if (exchange.error().code == Errc::too_large) co_await refuse(413, "Content too large\n");
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
    parser.header_limit(kMaxRequest);
    parser.body_limit(std::numeric_limits<std::uint64_t>::max());  // Boost 1.74 takes none for zero
    Exchange exchange;
    bool has_header = false;
    while (true) {
      boost::system::error_code ec;
      const auto taken = parser.put(net::asio::buffer(received_), ec);
      received_.erase(0, taken);
      if (ec && ec != beast_http::error::need_more) co_return permanent(Errc::protocol_error, ec.message());
      if (!has_header && parser.is_header_done()) {
        has_header = true;
        take_header(parser.get(), exchange);
        limit_ = body_limit_ ? body_limit_(exchange.request) : kMaxRequest;
        parser.eager(true);
        if (parser.content_length().value_or(0) > limit_) co_return permanent(Errc::too_large, "body");
        const bool is_awaited =
          equals_ignoring_case(text_of(parser.get(), beast_http::field::expect), "100-continue");
        if (is_awaited && !parser.is_done()) {
          auto written = co_await stream_.write_all(kContinue, kWriteTimeout);
          if (!written) co_return tl::unexpected(std::move(written.error()));
        }
        if (!received_.empty() && !parser.is_done()) continue;
      }
      if (parser.get().body().size() > limit_) co_return permanent(Errc::too_large, "body");
      if (parser.is_done()) break;
      if (taken > 0 && !received_.empty()) continue;
      auto more = co_await receive();
      if (!more) co_return tl::unexpected(std::move(more.error()));
    }
    exchange.request.body = std::move(parser.get().body());
    co_return exchange;
  }

  using Message = beast_http::request<beast_http::string_body>;
  static std::string text_of(const Message& message, beast_http::field field) {
    return std::string(message[field]);
  }

  static void take_header(const Message& message, Exchange& exchange) {
    exchange.request.method = std::string(message.method_string());
    set_target(exchange.request, std::string_view(message.target().data(), message.target().size()));
    exchange.request.authorization = text_of(message, beast_http::field::authorization);
    exchange.version = message.version();
    exchange.keeps_alive = message.keep_alive();
  }

  Awaitable<void> refuse(unsigned status, const char* words) {
    const Response response{status, words};
    const auto wire = to_wire(response, Exchange{});
    auto written = co_await stream_.write_all(wire, kWriteTimeout);
    if (written) co_await stream_.close_gently();
  }

  Stream& stream_;
  const Handler& handler_;
  const BodyLimit& body_limit_;
  std::size_t limit_ = kMaxRequest;  // of the body that is being read
  std::string received_;
  std::chrono::steady_clock::time_point deadline_;  // of the request that is being read
};

Awaitable<void> serve(
  Stream stream, net::TaskGroup& tasks, const Handler& handler, const BodyLimit& body_limit
) {
  const net::TaskGroup::Membership membership(tasks, stream.handle());
  Connection connection(stream, handler, body_limit);
  co_await connection.run();
}

}  // namespace

Server::Server(
  net::asio::io_context& context, std::unique_ptr<net::Listener> listener, Handler handler, log::Sink& log,
  BodyLimit body_limit
)
    : listener_(std::move(listener)),
      handler_(std::move(handler)),
      body_limit_(std::move(body_limit)),
      tasks_(context.get_executor(), [&log](const std::string& what) {
        log.write(log::error("exception").with("in", "http").with("error", what));
      }) {}

Result<std::unique_ptr<Server>> Server::open(
  net::asio::io_context& context, const std::vector<Endpoint>& endpoints, Handler handler, log::Sink& log,
  BodyLimit body_limit
) {
  auto listener = net::Listener::open(context, endpoints);
  if (!listener) return tl::unexpected(listener.error());
  return std::unique_ptr<Server>(
    new Server(context, std::move(*listener), std::move(handler), log, std::move(body_limit))
  );
}

void Server::start() {
  listener_->start([this](Stream stream) {
    // Probes must get through, so those that keep connections without asking give way.
    if (tasks_.count() >= kMaxConnections) tasks_.interrupt_all();
    tasks_.spawn(serve(std::move(stream), tasks_, handler_, body_limit_));
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
      return decoded(pair.substr(equals + 1));
  }
  return {};
}

}  // namespace relay::http
