#include "relay/web/client.hpp"

#include <algorithm>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <chrono>
#include <sstream>

#include "relay/base/text.hpp"
#include "relay/net/stream.hpp"

namespace relay::web {
namespace {

namespace beast_http = boost::beast::http;
using net::Awaitable;
using net::Stream;
using std::chrono::steady_clock;

/// RFC 9110 section 15.2; nobody here has asked for any.
constexpr int kMaxInterimAnswers = 10;
/// RFC 9110 section 5.6.2, besides letters and digits.
constexpr std::string_view kTokenMarks = "!#$%&'*+-.^_`|~";

bool is_token(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return is_alnum(c) || kTokenMarks.find(c) != std::string_view::npos;
  });
}

bool is_field_value(std::string_view text) { return std::all_of(text.begin(), text.end(), is_printable); }

bool is_host(const std::string& text) { return IpAddress::parse(text).has_value() || is_host_name(text); }

/// What a line break in a part would turn into another request.
Result<void> check(const Request& request) {
  const auto refuse = [](std::string_view what) {
    return permanent(Errc::invalid_argument, "HTTPS request: " + std::string(what));
  };
  if (!is_host(request.host)) return refuse("not a host: " + printable(request.host, 100));
  if (!is_token(request.method)) return refuse("not a method");
  if (!is_target(request.target)) return refuse("not a path");
  for (const auto& [name, value] : request.headers) {
    if (!is_token(name) || !is_field_value(value)) return refuse("not a header field");
  }
  return {};
}

/// RFC 9110 section 7.2.
std::string authority(const Request& request) {
  const auto text = Endpoint{request.host, request.port}.to_text();
  return request.port == kHttpsPort ? text.substr(0, text.rfind(':')) : text;
}

std::string to_wire(const Request& request) {
  beast_http::request<beast_http::string_body> message;
  message.version(11);
  message.method_string(request.method);
  message.target(request.target);
  message.set(beast_http::field::host, authority(request));
  message.set(beast_http::field::user_agent, "smtp-relay");
  for (const auto& [name, value] : request.headers) message.set(name, value);
  message.set(beast_http::field::connection, "close");
  message.body() = request.body;
  message.prepare_payload();
  std::ostringstream wire;
  wire << message;
  return wire.str();
}

/// One request to one host, within one deadline.
class Exchange {
 public:
  Exchange(net::Resolver& resolver, std::shared_ptr<net::TlsClient> tls, Request request, Limits limits)
      : resolver_(resolver),
        tls_(std::move(tls)),
        request_(std::move(request)),
        limits_(limits),
        deadline_(steady_clock::now() + limits.timeout) {}

  Awaitable<Result<Response>> run() {
    auto connected = co_await connect();
    if (!connected) co_return tl::unexpected(std::move(connected.error()));
    net::TlsDemand demand;
    demand.server_name = request_.host;
    demand.verify = net::Verify::certificate;
    auto info = co_await stream_->start_tls(tls_, std::move(demand), left());
    if (!info) co_return tl::unexpected(std::move(info.error()));
    const auto wire = to_wire(request_);
    auto written = co_await stream_->write_all(wire, left());
    if (!written) co_return tl::unexpected(std::move(written.error()));
    auto response = co_await read_response();
    for (int interim = 0; response && response->status / 100 == 1; ++interim) {
      if (interim == kMaxInterimAnswers) co_return fault("interim answers without end");
      response = co_await read_response();
    }
    co_return response;
  }

 private:
  [[nodiscard]] milliseconds left() const {
    const auto rest = std::chrono::duration_cast<milliseconds>(deadline_ - steady_clock::now());
    return std::max(rest, milliseconds{1});
  }

  /// To one address after the other, each with its share of the time that is left.
  Awaitable<Result<void>> connect() {
    const bool is_strangers = request_.may_connect && !IpAddress::parse(request_.host);
    auto name = is_strangers ? request_.host + "." : request_.host;
    auto addresses = co_await resolver_.lookup(std::move(name), left());
    if (!addresses) co_return tl::unexpected(std::move(addresses.error()));
    if (request_.may_connect)
      std::erase_if(*addresses, [this](const IpAddress& one) { return !request_.may_connect(one); });
    auto untried = static_cast<milliseconds::rep>(addresses->size());
    Result<void> done = transient(Errc::connection_failed, "no address to connect to");
    for (const auto& address : *addresses) {
      const auto share = std::max(left() / untried--, milliseconds{1});
      auto stream = co_await Stream::connect(address, request_.port, share);
      if (stream) {
        stream_.emplace(std::move(*stream));
        done = Result<void>{};
        break;
      }
      done = tl::unexpected(std::move(stream.error()));
    }
    co_return done;
  }

  Awaitable<Result<Response>> read_response() {
    beast_http::response_parser<beast_http::string_body> parser;
    parser.eager(true);
    parser.header_limit(kMaxResponseHeader);
    parser.body_limit(limits_.max_body);
    parser.skip(request_.method == "HEAD");
    while (true) {
      if (!received_.empty()) {
        boost::system::error_code ec;
        const auto taken = parser.put(net::asio::buffer(received_), ec);
        received_.erase(0, taken);
        if (ec && ec != beast_http::error::need_more) co_return tl::unexpected(to_error(ec));
        if (parser.is_done()) break;
        if (parser.is_header_done() && parser.need_eof()) co_return fault("no length of its body");
        // What is left is the head of a chunk or the trailer, for which the parser knows no limit.
        if (received_.size() > kMaxResponseHeader) co_return too_large("a line of a chunk that does not end");
      }
      auto more = co_await receive();
      if (!more) co_return tl::unexpected(std::move(more.error()));
    }
    auto message = parser.release();
    Response response;
    response.status = message.result_int();
    response.content_type = std::string(message[beast_http::field::content_type]);
    response.body = std::move(message.body());
    co_return response;
  }

  Awaitable<Result<void>> receive() {
    if (steady_clock::now() >= deadline_) co_return transient(Errc::timed_out, "no whole answer in time");
    auto octets = co_await stream_->receive(left());
    if (!octets) co_return tl::unexpected(std::move(octets.error()));
    received_.append(*octets);
    Result<void> done;
    co_return done;
  }

  [[nodiscard]] static tl::unexpected<Error> fault(std::string_view what) {
    return transient(Errc::protocol_error, "HTTP answer: " + std::string(what));
  }
  [[nodiscard]] static tl::unexpected<Error> too_large(std::string_view what) {
    return transient(Errc::too_large, "HTTP answer: " + std::string(what));
  }
  [[nodiscard]] static Error to_error(const boost::system::error_code& ec) {
    const bool is_size = ec == beast_http::error::body_limit || ec == beast_http::error::header_limit;
    const auto code = is_size ? Errc::too_large : Errc::protocol_error;
    return Error{code, Fate::transient, "HTTP answer: " + ec.message()};
  }

  net::Resolver& resolver_;
  std::shared_ptr<net::TlsClient> tls_;
  Request request_;
  Limits limits_;
  steady_clock::time_point deadline_;
  std::optional<Stream> stream_;
  std::string received_;
};

}  // namespace

Awaitable<Result<Response>> fetch(
  net::Resolver& resolver, std::shared_ptr<net::TlsClient> tls, Request request, Limits limits
) {
  auto usable = check(request);
  if (!usable) co_return tl::unexpected(std::move(usable.error()));
  const auto name = request.host;
  Exchange exchange(resolver, std::move(tls), std::move(request), limits);
  auto response = co_await exchange.run();
  if (!response) response.error().context = "https " + name + ": " + response.error().context;
  co_return response;
}

}  // namespace relay::web
