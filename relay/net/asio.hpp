#pragma once
/// NAME      net -- sockets, TLS, name lookup and the threads they live on
/// USES      base
/// INVARIANT nothing on a shard blocks; every wait has a deadline; an object belongs to the shard that made
///           it
/// FAILURES  values of type Error; exceptions only from constructors at start
///
/// House rule (g++ 12 miscompiles others, hack/check-coroutines): a co_await is a bare statement or the whole
/// right side of `x = co_await call(names...);`.

// clang-format off
#include <utility>  // Asio 1.74's awaitable.hpp uses std::exchange without it
// clang-format on
#include <boost/asio/awaitable.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "relay/base/network.hpp"
#include "relay/base/units.hpp"

namespace relay::net {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
/// Coroutines, sockets and timers name the executor of their loop. Behind the default, any_io_executor, each step of each
/// wait goes through virtual calls.
using Executor = asio::io_context::executor_type;
template <class T>
using Awaitable = asio::awaitable<T, Executor>;
using Socket = asio::basic_stream_socket<tcp, Executor>;
using Acceptor = asio::basic_socket_acceptor<tcp, Executor>;
using Timer = asio::basic_waitable_timer<
  std::chrono::steady_clock, asio::wait_traits<std::chrono::steady_clock>, Executor>;
inline constexpr asio::use_awaitable_t<Executor> kAwait{};

/// What to await with when a failure is a value: `co_await op(buffer, into(ec))`.
[[nodiscard]] inline auto into(error_code& ec) { return asio::redirect_error(kAwait, ec); }

[[nodiscard]] asio::ip::address to_asio(const IpAddress& address);
[[nodiscard]] IpAddress from_asio(const asio::ip::address& address);
/// `what` and the system's words: connection_lost, timed_out for a watchdog's cancel is the caller's to know.
[[nodiscard]] Error to_error(const error_code& ec, std::string_view what);

}  // namespace relay::net
