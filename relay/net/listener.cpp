#include "relay/net/listener.hpp"

#include <boost/asio/detached.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <exception>
#include <sys/socket.h>

namespace relay::net {
namespace {

constexpr int kBacklog = 1024;
constexpr milliseconds kPause{100};

using ReusePort = asio::detail::socket_option::boolean<SOL_SOCKET, SO_REUSEPORT>;

Result<tcp::endpoint> to_endpoint(const Endpoint& endpoint) {
  // Addresses only: a listener that depends on name lookup comes up on another address one day.
  const auto address = IpAddress::parse(endpoint.host);
  if (!address) {
    return tl::unexpected(Error{
      Errc::invalid_argument, Fate::terminal,
      "listen on " + endpoint.to_text() + ": name an address, such as 0.0.0.0 or [::]"
    });
  }
  return tcp::endpoint(to_asio(*address), endpoint.port);
}

Error cannot_listen(const Endpoint& endpoint, const error_code& ec) {
  return Error{Errc::conflict, Fate::terminal, "listen on " + endpoint.to_text() + ": " + ec.message()};
}

enum class Sharing : bool { alone, with_other_shards };

Result<Acceptor> bind_acceptor(asio::io_context& context, const Endpoint& endpoint, Sharing sharing) {
  const auto at = to_endpoint(endpoint);
  if (!at) return tl::unexpected(at.error());
  Acceptor acceptor(context);
  error_code ec;
  acceptor.open(at->protocol(), ec);
  if (!ec) acceptor.set_option(Acceptor::reuse_address(true), ec);
  if (!ec) acceptor.set_option(ReusePort(sharing == Sharing::with_other_shards), ec);
  // [::] serves IPv4 clients as well.
  if (!ec && at->protocol() == tcp::v6()) acceptor.set_option(asio::ip::v6_only(false), ec);
  if (!ec) acceptor.bind(*at, ec);
  if (ec) return tl::unexpected(cannot_listen(endpoint, ec));
  return acceptor;
}

}  // namespace

Result<void> check_are_free(asio::io_context& context, const std::vector<Endpoint>& endpoints) {
  for (const auto& endpoint : endpoints) {
    const auto acceptor = bind_acceptor(context, endpoint, Sharing::alone);
    if (!acceptor) return tl::unexpected(acceptor.error());
  }
  return {};
}

Result<std::unique_ptr<Listener>> Listener::open(
  asio::io_context& context, const std::vector<Endpoint>& endpoints
) {
  std::unique_ptr<Listener> listener(new Listener(context));
  for (const auto& endpoint : endpoints) {
    auto acceptor = bind_acceptor(context, endpoint, Sharing::with_other_shards);
    if (!acceptor) return tl::unexpected(acceptor.error());
    error_code ec;
    acceptor->listen(kBacklog, ec);
    if (ec) return tl::unexpected(cannot_listen(endpoint, ec));
    listener->acceptors_.push_back(std::move(*acceptor));
  }
  return listener;
}

void Listener::start(OnAccept on_accept) {
  on_accept_ = std::move(on_accept);
  for (auto& acceptor : acceptors_) asio::co_spawn(context_, accept_loop(acceptor), asio::detached);
}

Awaitable<void> Listener::accept_loop(Acceptor& acceptor) {
  Timer pause(context_);
  while (acceptor.is_open()) {
    error_code ec;
    try {
      ec = co_await accept(acceptor);
    } catch (const std::exception&) {  // no memory for this connection: it is closed, and others will come
      ec = asio::error::no_memory;
    }
    if (!ec) continue;
    if (ec == asio::error::operation_aborted || ec == asio::error::bad_descriptor) co_return;
    pause.expires_after(kPause);
    co_await pause.async_wait(into(ec));
  }
}

/// One connection.
Awaitable<error_code> Listener::accept(Acceptor& acceptor) {
  error_code ec;
  Socket socket(context_);
  tcp::endpoint peer;
  co_await acceptor.async_accept(socket, peer, into(ec));
  if (!ec) on_accept_(Stream(std::move(socket), from_asio(peer.address())));
  co_return ec;
}

void Listener::close() {
  error_code ignored;
  for (auto& acceptor : acceptors_) acceptor.close(ignored);
}

std::vector<Endpoint> Listener::endpoints() const {
  std::vector<Endpoint> endpoints;
  for (const auto& acceptor : acceptors_) {
    error_code ec;
    const auto at = acceptor.local_endpoint(ec);
    if (!ec) endpoints.push_back({from_asio(at.address()).to_text(), at.port()});
  }
  return endpoints;
}

}  // namespace relay::net
