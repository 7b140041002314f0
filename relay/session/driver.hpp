#pragma once
/// The coroutines between one connection and its smtp::ServerSession.

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "relay/base/queue_id.hpp"
#include "relay/net/stream.hpp"
#include "relay/net/tls_server.hpp"
#include "relay/session/judges.hpp"
#include "relay/session/login.hpp"
#include "relay/session/ports.hpp"
#include "relay/session/records.hpp"
#include "relay/session/serve.hpp"
#include "relay/smtp/server_session.hpp"

namespace relay::session {

/// The session's events come from what its steps ask for; a step's answer is the next event.
class Driver {
 public:
  /// @param stream, session  outlive this
  /// @param tls  null where STARTTLS is not offered
  Driver(
    net::Stream& stream, smtp::ServerSession& session, Context context, std::shared_ptr<net::TlsServer> tls
  );
  Driver(const Driver&) = delete;  // its members know each other
  Driver& operator=(const Driver&) = delete;

  /// Until the session closes. @param early_octets  came before
  [[nodiscard]] net::Awaitable<void> run(std::string early_octets);

  /// Behind an exception of run(): what was said by then is sent, and 421. Behind half a reply, or half a handshake, nothing
  /// can be. What the sink has of a message that it did not commit is forgotten.
  [[nodiscard]] net::Awaitable<void> give_up();

  /// It wanted to relay, and did not since its address stands for several. That it was turned away for something else, or only
  /// asked whether we are there, is no such thing.
  [[nodiscard]] bool was_refused_as_hidden(const Rules& rules) const;

 private:
  [[nodiscard]] net::Awaitable<smtp::ServerEvent> read_within(milliseconds timeout);
  [[nodiscard]] net::Awaitable<smtp::ServerEvent> write(std::string_view octets);
  [[nodiscard]] net::Awaitable<smtp::ServerEvent> append(std::string chunk);
  [[nodiscard]] net::Awaitable<smtp::ServerEvent> commit(smtp::server_step::Commit last);
  [[nodiscard]] net::Awaitable<smtp::ServerEvent> start_tls(milliseconds timeout);
  [[nodiscard]] net::Awaitable<Filtering::Ending> filter(mail::Envelope& envelope, std::string& last_chunk);

  void begin_message();
  [[nodiscard]] smtp::ServerEvent end_without_message(mail::Reply instead);
  void note_login(const smtp::server_step::EndAuth& login);
  [[nodiscard]] bool has_only_knocked(const Error& error) const;
  void note_if_unheard();

  net::Stream& stream_;
  smtp::ServerSession& session_;
  Context context_;
  Login login_;
  Judges judges_;
  std::shared_ptr<net::TlsServer> tls_;
  std::string early_octets_;
  std::string last_early_octets_;
  std::unique_ptr<IncomingMessage> incoming_;
  std::optional<QueueId> last_committed_;  // its client has not been told yet
  bool is_unheard_ = false;                // nor has the session been
  bool is_speaking_ = false;               // a reply or a handshake is under way
  bool is_deaf_ = false;                   // the client is gone, as far as writing tells
  bool spoke_first_ = false;
};

}  // namespace relay::session
