#pragma once
/// NAME      session -- one inbound connection: drives smtp::ServerSession over a socket
/// USES      smtp, policy, net, metrics, base
/// INVARIANT knows neither spool nor queue, only the two interfaces below; every wait has a deadline; a
///           complete end of data is committed even when nobody is left to hear of it
/// FAILURES  end the session, never the process

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "relay/base/queue_id.hpp"
#include "relay/mail/envelope.hpp"
#include "relay/mail/parties.hpp"
#include "relay/mail/reply.hpp"
#include "relay/net/asio.hpp"

namespace relay::session {

/// Whether mail may come in at present. Implemented by the engine; thread: any shard, never blocks.
class RecipientGate {
 public:
  virtual ~RecipientGate() = default;
  /// A reply (452, 451) when no message could be stored now.
  [[nodiscard]] virtual std::optional<mail::Reply> refuse_message() = 0;
};

/// One message on its way into the spool. Belongs to the session; destroying it before commit() forgets the
/// message.
class IncomingMessage {
 public:
  virtual ~IncomingMessage() = default;
  /// The id that commit() will return.
  [[nodiscard]] virtual QueueId id() const = 0;
  /// What append() and commit() bring is body: the header, which may change until then, comes by set_header(). Before the
  /// first append().
  virtual void expect_header() = 0;
  /// Behind expect_header(), before commit().
  virtual void set_header(std::string header) = 0;
  /// Whom the client named, where rules or filters may have put others into the envelope: for the log. Before commit().
  virtual void note_named(mail::Parties named) = 0;
  /// Hands on a chunk and waits until it is taken: back-pressure.
  [[nodiscard]] virtual net::Awaitable<Result<void>> append(std::string chunk) = 0;
  /// A chunk as it was appended, the first by 0; empty: there are no more. Errors: as the spool's.
  [[nodiscard]] virtual net::Awaitable<Result<std::string>> appended(std::uint32_t index) = 0;
  /// Stores the rest and all of it durably. Once this returns a queue id, the message is the relay's to
  /// deliver.
  [[nodiscard]] virtual net::Awaitable<Result<QueueId>> commit(
    mail::Envelope envelope, std::string last_chunk
  ) = 0;
};

/// Takes messages. Implemented by the engine; begin() is called on the session's shard.
class MessageSink {
 public:
  virtual ~MessageSink() = default;
  [[nodiscard]] virtual std::unique_ptr<IncomingMessage> begin() = 0;
};

}  // namespace relay::session
