#pragma once
/// One TCP connection, in the clear or with TLS, whose every wait has a deadline.

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "relay/net/asio.hpp"
#include "relay/net/tls.hpp"

namespace relay::net {

class TlsServer;

inline constexpr std::size_t kReceiveSize = 16U << 10U;

/// Owns its socket; moved into the coroutine that serves it. Thread: its shard's.
///
/// Errors of all operations: timed_out, connection_lost, connection_failed, tls_failed; cancelled when
/// interrupt() was called. Behind any of them the stream can still be written to and closed, but TLS state
/// may be broken.
class Stream {
  struct State;

 public:
  /// @param peer  as accept(2) named it: a client that has reset the connection meanwhile has no address any
  ///              more, though what it sent can still be read
  Stream(Socket socket, IpAddress peer);
  ~Stream();
  Stream(Stream&&) noexcept;
  Stream& operator=(Stream&&) noexcept;

  /// Connects to one address. Errors: as above.
  /// @param source  an address of this machine to come from; one of the other family does not count
  [[nodiscard]] static Awaitable<Result<Stream>> connect(
    IpAddress address, std::uint16_t port, milliseconds timeout, std::optional<IpAddress> source = {}
  );

  /// At least one octet, at most kReceiveSize. The view is of a buffer that all streams of the shard share:
  /// it is valid until the caller suspends again, and an idle connection costs no buffer. An orderly end of
  /// the peer's side is connection_lost.
  [[nodiscard]] Awaitable<Result<std::string_view>> receive(milliseconds timeout);
  /// What is there without waiting, perhaps nothing; at most `limit` octets, and kReceiveSize.
  [[nodiscard]] Result<std::string> read_available(std::size_t limit);
  /// All of it. `octets` must live until the result is there.
  [[nodiscard]] Awaitable<Result<void>> write_all(std::string_view octets, milliseconds timeout);
  /// Client handshake. What `demand` asks for and the peer does not prove is tls_failed; so is a demand that
  /// nobody could meet (no name, no usable TLSA record), and then the connection is closed.
  [[nodiscard]] Awaitable<Result<TlsInfo>> start_tls(
    std::shared_ptr<TlsClient> client, TlsDemand demand, milliseconds timeout
  );
  /// Server handshake. What came before it must have been read: the rest is taken for its begin. Behind a failure the
  /// connection can only be closed; one where the peer sent nothing at all and left is connection_lost.
  /// @param early  of the handshake, read already; must live until the result is there
  [[nodiscard]] Awaitable<Result<TlsInfo>> accept_tls(
    std::shared_ptr<TlsServer> server, milliseconds timeout, std::string_view early = {}
  );
  /// Why the last handshake of start_tls() failed, also when it timed out, or what it did not prove where that was tested only;
  /// nothing without one, or when it went well.
  [[nodiscard]] std::optional<TlsFault> last_tls_failure() const;
  /// Says that nothing more comes and reads what the peer still sends, at most 1 MiB or 2 s: closing at once
  /// with input unread would reset the connection and take our last reply with it. With TLS it says so in TLS too.
  [[nodiscard]] Awaitable<void> close_gently();

  [[nodiscard]] IpAddress peer() const;

  /// Reaches the stream from outside its coroutine, on the same shard, as long as it lives.
  class Handle {
   public:
    /// The read that waits, or else the next one, returns cancelled. Once for each call.
    void interrupt() const;
    /// Everything that waits returns connection_lost.
    void close() const;

   private:
    friend class Stream;
    explicit Handle(std::weak_ptr<State> state) : state_(std::move(state)) {}
    std::weak_ptr<State> state_;
  };
  [[nodiscard]] Handle handle() const;

 private:
  std::shared_ptr<State> state_;
};

}  // namespace relay::net
