#pragma once
/// The driver of one inbound connection.

#include <memory>
#include <optional>
#include <string>

#include "relay/base/log.hpp"
#include "relay/metrics/counters.hpp"
#include "relay/net/stream.hpp"
#include "relay/net/tls_server.hpp"
#include "relay/policy/guard.hpp"
#include "relay/policy/relay_access.hpp"
#include "relay/policy/rules.hpp"
#include "relay/policy/sender_bindings.hpp"
#include "relay/session/client_counts.hpp"
#include "relay/session/failed_logins.hpp"
#include "relay/session/milter_client.hpp"
#include "relay/session/passwords.hpp"
#include "relay/session/ports.hpp"
#include "relay/session/rate_limits.hpp"
#include "relay/session/refusal_log.hpp"
#include "relay/session/source_sightings.hpp"
#include "relay/session/turned_away.hpp"
#include "relay/smtp/server_session.hpp"

namespace relay::session {

/// What a session is served with; a snapshot, the same for its whole life but for `access`, which each
/// recipient asks anew, `policies`, which each transaction takes anew, and the certificate, which is the one in force when a handshake begins.
struct Rules {
  std::string listener{mail::kMainListener};  ///< whose rules these are
  bool is_withdrawn = false;  ///< settings no longer know the listener: who accepts turns clients away
  std::string hostname;
  smtp::ServerLimits limits;
  std::size_t max_connections = 500;            ///< inbound, over all shards; for who accepts them
  std::size_t max_connections_per_client = 50;  ///< at least 1; not of addresses in access.hidden
  bool logs_sessions = false;                   ///< a record when a session ends
  Networks proxy_trusted;
  std::vector<std::string>
    bulk_headers;  ///< fields that make a message bulk: `Precedence: bulk`, or a name alone
  policy::RelayAccess access;
  std::shared_ptr<const policy::Rules> policies;  ///< on mail of who may relay; null: none
  std::shared_ptr<const Milters> milters;         ///< asked of each message, as `policies`; null: none
  policy::Guard guard;                            ///< which of it may leave; each recipient asks anew
  bool mends_date = false;                        ///< a missing field is added; each transaction asks anew
  bool mends_message_id = false;
  bool mends_from = false;
  std::shared_ptr<const policy::SenderBindings>
    sender_bindings;                    ///< each transaction takes them anew; null: none
  std::shared_ptr<net::TlsServer> tls;  ///< STARTTLS is offered; null: it is not
  bool needs_tls = false;               ///< mail is taken over TLS alone
  bool tls_first = false;               ///< TLS comes before the greeting, without `tls` nothing; no STARTTLS
  bool needs_auth = false;              ///< an allowed address is not enough
  std::shared_ptr<const sasl::Users>
    users;  ///< who may log in; null: nobody. Each AUTH, sender and recipient asks anew
  bool wants_users =
    false;  ///< AUTH is offered; also while `users` is null, for a time, and refused for now then
  bool auth_needs_tls = true;  ///< not in the clear
  std::size_t max_failed_logins_per_client =
    20;  ///< within FailedLogins::kWindow; not of addresses in access.hidden
};

/// What sessions share. All references outlive all sessions: owned by the app.
struct Services {
  RecipientGate& gate;
  MessageSink& sink;
  log::Sink& log;
  metrics::Shard& counters;  ///< of this shard
  ClientCounts& clients;
  RefusalLog& refusals;
  TurnedAway& turned_away;  ///< of this shard
  SourceSightings& sightings;
  PasswordChecks& passwords;
  FailedLogins& failed_logins;
  RateLimits& rate_limits;
  net::Resolver& resolver;  ///< of filters' names
  net::TaskGroup& tasks;    ///< of this shard; connections to filters end with it
};

/// Gives the rules of the moment. Thread: any shard.
class RulesSource {
 public:
  virtual ~RulesSource() = default;
  [[nodiscard]] virtual std::shared_ptr<const Rules> rules() const = 0;
};

/// Serves a connection until it ends. A peer in `proxy_trusted` must send a PROXY header first, which says
/// who the client is; one that is not sent within 30 s, or is none, closes the connection. A client that has
/// `max_connections_per_client` of them already is turned away with 421 4.7.0, which is no part of this; where TLS comes
/// first it is closed without a word. What throws ends the session with 421 4.3.0, and no other.
[[nodiscard]] net::Awaitable<void> serve(net::Stream stream, const RulesSource& source, Services services);

}  // namespace relay::session
