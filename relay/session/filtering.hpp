#pragma once
/// What content filters do to one transaction.

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "relay/session/milter_client.hpp"
#include "relay/session/serve.hpp"

namespace relay::session {

/// The whole message is shown to each filter at its end, before it is stored: decision 0097. Until then the header is held
/// here, since filters change it; the body streams on. A filter sees what those before it made of the message.
///
/// Thread: one at a time, its shard's. `services` outlive it.
class Filtering {
 public:
  /// Octets of a header; more are refused with 552 5.3.4 at the end of data.
  static constexpr std::size_t kMaxHeader = 128U << 10U;
  /// And lines: each may be a field, of which a filter is told by itself.
  static constexpr std::size_t kMaxHeaderLines = 4'000;

  /// What filters are told besides the envelope.
  struct Client {
    std::string hostname;  ///< ours
    IpAddress address;
    std::string auth_type;  ///< empty: nobody has logged in
  };

  /// @param milters  at least one
  Filtering(std::shared_ptr<const Milters> milters, Services services, Client client)
      : milters_(std::move(milters)), services_(services), client_(std::move(client)) {}

  /// Content as it comes, in order. @return  what of it is body
  [[nodiscard]] std::string hold(std::string content);

  struct Ending {
    /// Set: nothing is to be stored and the client is told this. A refusal, or 250 where all is thrown away.
    std::optional<mail::Reply> instead;
    bool is_quarantined = false;  ///< all recipients are to be held
  };
  /// At the end of data: asks one filter after the other, and changes envelope and header as they say.
  /// @param envelope  with its size
  /// @param message   has the body but for `last_chunk`; both outlive the call
  [[nodiscard]] net::Awaitable<Ending> finish(
    mail::Envelope& envelope, IncomingMessage& message, const std::string& last_chunk
  );
  /// As the filters left it.
  [[nodiscard]] std::string take_header() { return std::exchange(header_, {}); }

 private:
  /// What a filter made of the message, and whether.
  struct Decided {
    milter::Outcome outcome;
    mail::Envelope envelope;  // and header: as its changes leave them
    std::string header;
    std::optional<std::string> quarantine;  // why
  };
  [[nodiscard]] net::Awaitable<Result<Decided>> ask(
    const Milter& milter, const mail::Envelope& envelope, IncomingMessage& message,
    const std::string& last_chunk
  );
  [[nodiscard]] milter::Message what_is_told(const mail::Envelope& envelope, const QueueId& id) const;
  [[nodiscard]] Result<Decided> decide(milter::Outcome outcome, const mail::Envelope& envelope) const;
  void follow(
    const Milter& milter, Decided& decided, const QueueId& id, mail::Envelope& envelope, Ending& ending
  );
  [[nodiscard]] std::optional<mail::Reply> give_up(
    const Milter& milter, const mail::Envelope& envelope, const QueueId& id, const Error& error
  );
  [[nodiscard]] log::Record record(
    log::Record record, const Milter& milter, const mail::Envelope& envelope, const QueueId& id
  ) const;

  std::shared_ptr<const Milters> milters_;
  Services services_;
  Client client_;
  milter::HeaderEnd end_;
  std::string header_;
  std::size_t header_lines_ = 0;
  bool is_too_large_ = false;
  std::optional<Error> unreadable_;  // the spool's fault, while a filter was asked
};

}  // namespace relay::session
