#include "relay/net/stream.hpp"

#include <array>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/write.hpp>

#include "relay/net/tls_handshake.hpp"
#include "relay/net/tls_server.hpp"

namespace relay::net {
namespace {

using std::chrono::steady_clock;
constexpr auto kNever = steady_clock::time_point::max();
constexpr std::chrono::milliseconds kCancelAgain{50};
constexpr std::chrono::seconds kLinger{2};
constexpr std::size_t kLingerOctets = 1U << 20U;

Error timeout_error() { return Error{Errc::timed_out, Fate::transient, "timed out"}; }

}  // namespace

/// One timer a connection: operations move the deadline, the timer looks at it when it fires.
struct Stream::State : std::enable_shared_from_this<Stream::State> {
  using TlsStream = asio::ssl::stream<Socket&>;

  State(Socket from, IpAddress address)
      : socket(std::move(from)), peer(address), timer(socket.get_executor()) {}

  Socket socket;
  IpAddress peer;
  std::optional<TlsHandshake> handshake;  // outlives the stream whose callback it is
  std::unique_ptr<TlsStream> tls;
  std::unique_ptr<std::array<char, kReceiveSize>> tls_buffer;
  Timer timer;
  steady_clock::time_point deadline = kNever;
  bool timer_is_set = false;
  bool has_timed_out = false;
  bool is_reading = false;
  bool awaits_answer = false;  // nothing was read since the last write
  bool is_interrupted = false;

  void make_ready() {
    error_code ignored;
    socket.set_option(tcp::no_delay(true), ignored);
    socket.non_blocking(true, ignored);  // for the reads that do not wait
  }

  void arm(milliseconds timeout) {
    has_timed_out = false;
    deadline = steady_clock::now() + timeout;
    if (timer_is_set && timer.expiry() <= deadline) return;
    set_timer();
  }
  void disarm() { deadline = kNever; }

  void set_timer() {
    timer_is_set = true;
    timer.expires_at(deadline);
    timer.async_wait([weak = weak_from_this()](error_code ec) {
      const auto self = weak.lock();
      if (ec || !self) return;
      self->timer_is_set = false;
      if (self->deadline == kNever) return;
      if (steady_clock::now() < self->deadline) return self->set_timer();
      self->has_timed_out = true;
      self->cancel();
      // An operation of several steps that was between two of them just now was not waiting, and heard nothing.
      self->deadline = steady_clock::now() + kCancelAgain;
      self->set_timer();
    });
  }

  void cancel() {
    error_code ignored;
    socket.cancel(ignored);
  }

  /// The outcome of an operation that was guarded by arm().
  Result<void> outcome(const error_code& ec, std::string_view what) {
    disarm();
    if (has_timed_out) return tl::unexpected(timeout_error());
    if (ec) return tl::unexpected(to_error(ec, what));
    return {};
  }
};

Stream::Stream(Socket socket, IpAddress peer) : state_(std::make_shared<State>(std::move(socket), peer)) {
  state_->make_ready();
}
Stream::~Stream() = default;
Stream::Stream(Stream&&) noexcept = default;
Stream& Stream::operator=(Stream&&) noexcept = default;

Awaitable<Result<Stream>> Stream::connect(
  IpAddress address, std::uint16_t port, milliseconds timeout, std::optional<IpAddress> source
) {
  auto executor = co_await asio::this_coro::executor;
  Socket socket(executor);
  Stream stream(std::move(socket), address);
  const tcp::endpoint endpoint(to_asio(address), port);
  error_code ec;
  stream.state_->socket.open(endpoint.protocol(), ec);
  if (!ec && source && source->is_v4() == address.is_v4())
    stream.state_->socket.bind(tcp::endpoint(to_asio(*source), 0), ec);
  stream.state_->arm(timeout);
  if (!ec) co_await stream.state_->socket.async_connect(endpoint, into(ec));
  auto outcome = stream.state_->outcome(ec, "connect to " + Endpoint{address.to_text(), port}.to_text());
  if (!outcome) co_return tl::unexpected(std::move(outcome.error()));
  stream.state_->make_ready();
  co_return std::move(stream);
}

Awaitable<Result<std::string_view>> Stream::receive(milliseconds timeout) {
  // A copy keeps the state alive when the stream is destroyed while the wait is being cancelled.
  const auto state = state_;
  static thread_local std::array<char, kReceiveSize> shared_buffer;
  error_code ec;
  state->arm(timeout);
  while (!state->is_interrupted) {
    std::size_t count = 0;
    auto* into_octets = shared_buffer.data();
    if (state->tls) {
      // OpenSSL may need several turns of the socket for one octet: it reads into a buffer that stays.
      if (!state->tls_buffer)
        state->tls_buffer = std::make_unique_for_overwrite<std::array<char, kReceiveSize>>();
      into_octets = state->tls_buffer->data();
      const auto buffer = asio::buffer(*state->tls_buffer);
      state->is_reading = true;
      count = co_await state->tls->async_read_some(buffer, into(ec));
      state->is_reading = false;
    } else if (std::exchange(state->awaits_answer, false)) {
      // The peer has hardly read what it has to answer: a first try would be in vain.
      ec = asio::error::would_block;
    } else {
      count = state->socket.read_some(asio::buffer(shared_buffer), ec);
    }
    if (count > 0) {
      state->disarm();
      co_return std::string_view(into_octets, count);
    }
    if (ec != asio::error::would_block) break;
    state->is_reading = true;
    co_await state->socket.async_wait(Socket::wait_read, into(ec));
    state->is_reading = false;
    if (ec) break;
  }
  if (std::exchange(state->is_interrupted, false)) {
    state->disarm();
    co_return transient(Errc::cancelled, "interrupted");
  }
  auto outcome = state->outcome(ec, "read");
  if (!outcome) co_return tl::unexpected(std::move(outcome.error()));
  co_return transient(Errc::connection_lost, "read nothing");
}

Result<std::string> Stream::read_available(std::size_t limit) {
  static thread_local std::array<char, kReceiveSize> shared_buffer;
  const auto buffer = asio::buffer(shared_buffer, limit);
  error_code ec;
  std::size_t count = 0;
  if (state_->tls) count = state_->tls->read_some(buffer, ec);
  else count = state_->socket.read_some(buffer, ec);
  const bool has_nothing = ec == asio::error::would_block || ec == asio::error::try_again;
  if (ec && !has_nothing) return tl::unexpected(to_error(ec, "read"));
  return std::string(shared_buffer.data(), count);
}

Awaitable<Result<void>> Stream::write_all(std::string_view octets, milliseconds timeout) {
  const auto state = state_;
  error_code ec;
  state->arm(timeout);
  const auto buffer = asio::buffer(octets.data(), octets.size());
  state->awaits_answer = true;
  if (state->tls) co_await asio::async_write(*state->tls, buffer, into(ec));
  else co_await asio::async_write(state->socket, buffer, into(ec));
  auto outcome = state->outcome(ec, "write");
  co_return outcome;
}

Awaitable<Result<TlsInfo>> Stream::start_tls(
  std::shared_ptr<TlsClient> client, TlsDemand demand, milliseconds timeout
) {
  const auto state = state_;
  auto& handshake = state->handshake.emplace(std::move(demand));
  state->tls = std::make_unique<State::TlsStream>(state->socket, client->context());
  auto* ssl = state->tls->native_handle();
  auto prepared = handshake.prepare(ssl);
  if (!prepared) {
    // OpenSSL would shake hands at the next write, with half of the demand.
    handle().close();
    co_return tl::unexpected(std::move(prepared.error()));
  }
  state->tls->set_verify_callback([&handshake](bool is_good, asio::ssl::verify_context& context) {
    return handshake.verified(is_good, context.native_handle());
  });
  error_code ec;
  state->arm(timeout);
  co_await state->tls->async_handshake(asio::ssl::stream_base::client, into(ec));
  state->disarm();
  if (!ec && !state->has_timed_out) co_return handshake.info(ssl);
  auto error = handshake.failed(state->has_timed_out ? "timed out" : ec.message());
  if (state->has_timed_out) error = timeout_error();
  co_return tl::unexpected(std::move(error));
}

Awaitable<Result<TlsInfo>> Stream::accept_tls(
  std::shared_ptr<TlsServer> server, milliseconds timeout, std::string_view early
) {
  const auto state = state_;
  state->tls = std::make_unique<State::TlsStream>(state->socket, server->context());
  error_code ec;
  state->arm(timeout);
  const auto begun = asio::buffer(early.data(), early.size());
  co_await state->tls->async_handshake(asio::ssl::stream_base::server, begun, into(ec));
  state->disarm();
  if (state->has_timed_out) co_return tl::unexpected(timeout_error());
  const bool has_come = BIO_number_read(SSL_get_rbio(state->tls->native_handle())) > 0;
  if (ec && !has_come) co_return transient(Errc::connection_lost, "TLS handshake: " + ec.message());
  if (ec) co_return transient(Errc::tls_failed, "TLS handshake: " + ec.message());
  TlsInfo info;
  info.version = SSL_get_version(state->tls->native_handle());
  info.cipher = SSL_get_cipher_name(state->tls->native_handle());
  co_return info;
}

std::optional<TlsFault> Stream::last_tls_failure() const {
  return state_->handshake ? state_->handshake->fault() : std::nullopt;
}

Awaitable<void> Stream::close_gently() {
  const auto state = state_;
  error_code ec;
  const auto until = steady_clock::now() + kLinger;
  if (state->tls && SSL_is_init_finished(state->tls->native_handle()) == 1) {
    state->arm(kLinger);
    co_await state->tls->async_shutdown(into(ec));  // the peer need not answer
    state->disarm();
  }
  state->socket.shutdown(Socket::shutdown_send, ec);
  static thread_local std::array<char, 16384> discarded;  // nobody reads it
  std::size_t total = 0;
  while (!ec && total < kLingerOctets) {
    const auto left = std::chrono::duration_cast<milliseconds>(until - steady_clock::now());
    if (left.count() <= 0) break;
    state->arm(left);
    const auto count = co_await state->socket.async_read_some(asio::buffer(discarded), into(ec));
    total += count;
  }
  state->disarm();
  state->socket.close(ec);
}

IpAddress Stream::peer() const { return state_->peer; }

Stream::Handle Stream::handle() const { return Handle(state_); }

void Stream::Handle::interrupt() const {
  const auto state = state_.lock();
  if (!state) return;
  state->is_interrupted = true;
  if (state->is_reading) state->cancel();
}

void Stream::Handle::close() const {
  const auto state = state_.lock();
  if (!state) return;
  error_code ignored;
  state->socket.close(ignored);
}

}  // namespace relay::net
