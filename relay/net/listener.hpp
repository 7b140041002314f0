#pragma once
/// Accepting connections on one shard.

#include <functional>
#include <memory>
#include <vector>

#include "relay/net/stream.hpp"

namespace relay::net {

/// Whether nobody listens on these addresses. Shards share a port with each other, and so would, unnoticed, a
/// second process of the same user. Errors: conflict (terminal), with what to do.
[[nodiscard]] Result<void> check_are_free(asio::io_context& context, const std::vector<Endpoint>& endpoints);

/// Listening sockets of one shard; each shard has its own on the same address (SO_REUSEPORT), so the kernel
/// spreads connections. When descriptors run out, or memory, accepting pauses for a tenth of a second at a
/// time instead of spinning.
/// Thread: its shard's, but for construction.
class Listener {
 public:
  using OnAccept = std::function<void(Stream)>;

  /// Binds and listens. Errors: conflict or not_permitted (terminal) when the address cannot be had, with
  /// what to do. An endpoint with port 0 takes any free port: see endpoints().
  [[nodiscard]] static Result<std::unique_ptr<Listener>> open(
    asio::io_context& context, const std::vector<Endpoint>& endpoints
  );

  /// Accepts until close(). `on_accept` outlives the listener; what it throws costs its connection, and no other.
  void start(OnAccept on_accept);
  /// Stops accepting; connections in the backlog are reset.
  void close();
  [[nodiscard]] std::vector<Endpoint> endpoints() const;

 private:
  explicit Listener(asio::io_context& context) : context_(context) {}
  [[nodiscard]] Awaitable<void> accept_loop(Acceptor& acceptor);
  [[nodiscard]] Awaitable<error_code> accept(Acceptor& acceptor);

  asio::io_context& context_;
  std::vector<Acceptor> acceptors_;
  OnAccept on_accept_;
};

}  // namespace relay::net
