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

#include "relay/base/text.hpp"

namespace relay::ctl {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using boost::system::error_code;

constexpr std::chrono::seconds kTimeout{30};
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

Errc code_of(unsigned status) {
  switch (status) {
    case 400: return Errc::invalid_argument;
    case 404: return Errc::not_found;
    case 409: return Errc::conflict;
    case 500: return Errc::corrupt;
    default: return Errc::unavailable;
  }
}

Error cannot_reach(const AdminInterface& admin, const error_code& ec) {
  return {
    Errc::connection_failed, Fate::transient,
    "cannot reach the relay at " + admin.endpoint.to_text() + ": " + ec.message()
  };
}

}  // namespace

Result<nlohmann::ordered_json> request(
  const AdminInterface& admin, const std::string& method, const std::string& target, const std::string& body
) {
  error_code ec;
  const auto address = asio::ip::make_address(admin.endpoint.host, ec);
  if (ec) return permanent(Errc::invalid_argument, "'" + admin.endpoint.host + "' is not an address");
  if (!address.is_loopback())
    return permanent(
      Errc::invalid_argument,
      admin.endpoint.host + " is not this machine's own: the token goes over loopback only, in clear"
    );
  const auto token = read_token(admin.token_file);
  if (!token) return tl::unexpected(token.error());

  asio::io_context context;
  beast::tcp_stream stream(context);
  stream.expires_after(kTimeout);
  ec = finished(context, [&](auto done) { stream.async_connect({address, admin.endpoint.port}, done); });
  if (ec) return tl::unexpected(cannot_reach(admin, ec));

  http::request<http::string_body> question{http::string_to_verb(method), target, 11, body};
  stream.expires_after(kTimeout);
  question.set(http::field::host, admin.endpoint.to_text());
  question.set(http::field::authorization, "Bearer " + *token);
  question.prepare_payload();
  ec = finished(context, [&](auto done) {
    http::async_write(stream, question, [done](error_code e, std::size_t) { done(e); });
  });
  if (ec) return tl::unexpected(cannot_reach(admin, ec));

  stream.expires_after(kTimeout);
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
  return tl::unexpected(Error{
    code_of(parser.get().result_int()), Fate::permanent,
    "the relay says: " + document.value("error", "nothing")
  });
}

Result<Endpoint> first_endpoint(std::string_view listen) {
  const auto all = split(listen, ',');
  return Endpoint::parse(all.empty() ? listen : all.front());
}

std::string encoded(std::string_view text) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const auto octet = static_cast<unsigned char>(c);
    if (is_alnum(c) || std::string_view("-._~").find(c) != std::string_view::npos) out += c;
    else out += {'%', kHex[octet >> 4U], kHex[octet & 15U]};
  }
  return out;
}

}  // namespace relay::ctl
