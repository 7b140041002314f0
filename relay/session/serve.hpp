#pragma once
/// The driver of one inbound connection.

#include <memory>
#include <optional>
#include <string>

#include "relay/base/log.hpp"
#include "relay/metrics/counters.hpp"
#include "relay/net/stream.hpp"
#include "relay/policy/relay_access.hpp"
#include "relay/session/ports.hpp"
#include "relay/smtp/server_session.hpp"

namespace relay::session {

/// What a session is served with; a snapshot, the same for its whole life but for `access`, which each
/// recipient asks anew.
struct Rules {
  std::string hostname;
  smtp::ServerLimits limits;
  std::size_t max_connections = 500;  ///< inbound, over all shards; for who accepts them
  Networks proxy_trusted;
  std::vector<std::string>
    bulk_headers;  ///< fields that make a message bulk: `Precedence: bulk`, or a name alone
  policy::RelayAccess access;
};

/// What sessions share. All references outlive all sessions: owned by the app.
struct Services {
  RecipientGate& gate;
  MessageSink& sink;
  log::Sink& log;
  metrics::Shard& counters;  ///< of this shard
};

/// Gives the rules of the moment. Thread: any shard.
class RulesSource {
 public:
  virtual ~RulesSource() = default;
  [[nodiscard]] virtual std::shared_ptr<const Rules> rules() const = 0;
};

/// Serves a connection until it ends. A peer in `proxy_trusted` must send a PROXY header first, which says
/// who the client is; one that is not sent within 30 s, or is none, closes the connection.
[[nodiscard]] net::Awaitable<void> serve(net::Stream stream, const RulesSource& source, Services services);

/// Greets with a refusal (421) and closes.
[[nodiscard]] net::Awaitable<void> turn_away(net::Stream stream, std::string hostname, mail::Reply refusal);

}  // namespace relay::session
