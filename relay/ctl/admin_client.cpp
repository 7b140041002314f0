#include "relay/ctl/admin_client.hpp"

// clang-format off
#include <utility>  // Asio 1.74's awaitable.hpp uses std::exchange without it
// clang-format on
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <fstream>
#include <functional>
#include <iterator>

namespace relay::ctl {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using boost::system::error_code;

constexpr std::chrono::seconds kTimeout{10};
constexpr std::uint64_t kMaxAnswer = 64ULL << 20U;

Result<std::string> read_token(const std::string& path) {
  std::ifstream file(path);
  std::string token{std::istreambuf_iterator<char>(file), {}};
  if (!token.empty()) return token;
  return permanent(
    Errc::not_found, "cannot read the token in " + path +
                       ": run relayctl as the relay's user or root, and name another spool with --spool"
  );
}

/// Runs one asynchronous step under the stream's deadline.
error_code finished(
  asio::io_context& context, const std::function<void(std::function<void(error_code)>)>& start
) {
  error_code outcome;
  start([&outcome](error_code ec) { outcome = ec; });
  context.restart();
  context.run();
  return outcome;
}

Error cannot_reach(const AdminInterface& admin, const error_code& ec) {
  return {
    Errc::connection_failed, Fate::transient,
    "cannot reach the relay at " + admin.endpoint.to_text() + ": " + ec.message()
  };
}

}  // namespace

Result<nlohmann::ordered_json> request(
  const AdminInterface& admin, const std::string& method, const std::string& target
) {
  const auto token = read_token(admin.token_file);
  if (!token) return tl::unexpected(token.error());
  error_code ec;
  const auto address = asio::ip::make_address(admin.endpoint.host, ec);
  if (ec) return permanent(Errc::invalid_argument, "'" + admin.endpoint.host + "' is not an address");

  asio::io_context context;
  beast::tcp_stream stream(context);
  stream.expires_after(kTimeout);
  ec = finished(context, [&](auto done) { stream.async_connect({address, admin.endpoint.port}, done); });
  if (ec) return tl::unexpected(cannot_reach(admin, ec));

  http::request<http::empty_body> question{http::string_to_verb(method), target, 11};
  question.set(http::field::host, admin.endpoint.to_text());
  question.set(http::field::authorization, "Bearer " + *token);
  question.prepare_payload();
  ec = finished(context, [&](auto done) {
    http::async_write(stream, question, [done](error_code e, std::size_t) { done(e); });
  });
  if (ec) return tl::unexpected(cannot_reach(admin, ec));

  beast::flat_buffer buffer;
  http::response_parser<http::string_body> parser;
  parser.body_limit(kMaxAnswer);
  ec = finished(context, [&](auto done) {
    http::async_read(stream, buffer, parser, [done](error_code e, std::size_t) { done(e); });
  });
  if (ec) return tl::unexpected(cannot_reach(admin, ec));

  auto document = nlohmann::ordered_json::parse(parser.get().body(), nullptr, false);
  if (document.is_discarded()) return permanent(Errc::protocol_error, "the relay's answer is not JSON");
  if (parser.get().result() == http::status::ok) return document;
  return transient(Errc::unavailable, "the relay says: " + document.value("error", "nothing"));
}

}  // namespace relay::ctl
