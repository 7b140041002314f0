#pragma once
/// NAME      delivery -- outbound connections and their pool: drives smtp::ClientSession over sockets
/// USES      smtp, sasl, route, net, metrics, base
/// INVARIANT knows neither spool nor queue, only the interfaces below; every job is answered exactly once;
///           credentials leave over verified TLS only and stand in no log
/// FAILURES  of a hop are reported as such and judge no message

#include <memory>
#include <string>
#include <vector>

#include "relay/base/queue_id.hpp"
#include "relay/net/asio.hpp"
#include "relay/net/tls.hpp"
#include "relay/route/next_hop.hpp"

namespace relay::delivery {

/// The content of one message as it is sent on, our own header first.
class ContentSource {
 public:
  virtual ~ContentSource() = default;
  /// The next piece, empty at the end. Errors: corrupt, not_found, storage_failed. Awaited on the shard; never blocks
  /// it.
  [[nodiscard]] virtual net::Awaitable<Result<std::string>> next() = 0;
};

/// One message for one next hop.
struct Job {
  QueueId id;
  smtp::OutgoingMessage message;
  std::unique_ptr<ContentSource> content;
};

/// A next hop and how to treat it: an immutable snapshot.
struct Hop {
  route::NextHop next_hop;
  std::shared_ptr<net::TlsClient> tls;
  std::uint64_t generation = 0;  ///< connections of an older one take no further message
  milliseconds connect_timeout{};
  milliseconds idle_time{};
  std::uint64_t messages_per_connection = 100;
};

class HopSource {
 public:
  virtual ~HopSource() = default;
  /// Thread: any shard.
  [[nodiscard]] virtual std::shared_ptr<const Hop> hop() const = 0;
};

/// Where a connection went, for logs.
struct Peer {
  std::string name;     ///< the smarthost as configured, host:port
  std::string address;  ///< what it was connected at
  std::string tls;      ///< `TLSv1.3 TLS_AES_256_GCM_SHA384 verified`, or empty
};

/// Hears of everything that happens on outbound connections. Called on the shard; implemented by the engine.
class Reporter {
 public:
  virtual ~Reporter() = default;
  /// Whether a delivery that begins now could be recorded.
  [[nodiscard]] virtual bool may_begin() const = 0;
  /// A job's answer. Recipients that are `untried` were not judged.
  virtual void attempted(Job job, smtp::MessageOutcome outcome, Peer peer) = 0;
  /// A job's answer when no connection took it.
  virtual void untried(Job job) = 0;
  virtual void connection_ready(const Peer& peer) = 0;
  virtual void connection_closed() = 0;
  /// A connection failed. Behind connection_closed(), when it had been ready.
  /// @param was_of_use  whether it carried a message before: then its end says little about the hop
  virtual void hop_failed(const smtp::HopFailure& failure, const Peer& peer, bool was_of_use) = 0;
};

}  // namespace relay::delivery
