#pragma once
/// NAME      delivery -- outbound connections and their pools: drives smtp::ClientSession over sockets
/// USES      smtp, sasl, route, net, metrics, base
/// INVARIANT knows neither spool nor queue, only the interfaces below; every job is answered exactly once;
///           credentials leave over verified TLS only and stand in no log
/// FAILURES  of a hop are reported as such and judge no message

#include <functional>
#include <memory>
#include <optional>
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
  /// The next piece, empty at the end. Errors: corrupt, not_found, storage_failed. Awaited on the shard; never
  /// blocks it.
  [[nodiscard]] virtual net::Awaitable<Result<std::string>> next() = 0;
};

/// One message for one destination.
struct Job {
  QueueId id;
  smtp::OutgoingMessage message;
  /// Begins to read it, once for each host that it is offered to.
  std::function<std::unique_ptr<ContentSource>()> open_content;

  // What hosts before have said of some recipients; the pool's own.
  smtp::MessageOutcome so_far;    ///< of all its recipients; empty: no host was asked yet
  std::vector<std::size_t> open;  ///< those that `message` holds now, by index into `so_far`
};

/// One host of a destination.
struct Host {
  std::string name;              ///< of a smarthost, in the settings
  std::uint64_t generation = 0;  ///< of a smarthost
  route::NextHop next_hop;
  std::shared_ptr<net::TlsClient> tls;
  std::string server_name;  ///< of its certificate; empty: the host's name
  bool is_mx = false;       ///< named by the DNS: looked up anew, guarded and treated by the domain's policy
  milliseconds connect_timeout{};
  std::uint64_t messages_per_connection = 100;
};

/// How a destination is reached at present: an immutable snapshot.
struct Route {
  std::vector<Host> hosts;       ///< in the order to try them; at least one
  std::uint64_t generation = 0;  ///< connections of an older one take no further message
  milliseconds idle_time{};
  std::string provider;         ///< whose mail servers these are; empty when nobody said
  std::string domain;           ///< of recipients; empty for a smarthost
  bool is_secure = false;       ///< the DNS validated which hosts these are (DNSSEC)
  bool has_more_hosts = false;  ///< there are others, behind these
  bool is_report =
    false;  ///< for reports of TLS failures: in spite of them, and not counted itself (RFC 8460)
};

/// How one host is to be connected to.
struct Target {
  std::vector<IpAddress> addresses;
  smtp::HopPolicy policy;
  net::TlsDemand demand;
  std::optional<IpAddress> source;  ///< where connections come from
  std::string source_name;
  std::string tls_policy;  ///< what demanded TLS, for logs: `dane`, `sts`, or empty
};

/// Why there is no route at present. Without a verdict the mail waits.
struct NoRoute {
  Error error;
  std::optional<mail::Reply> verdict;  ///< nobody there takes mail, for good: judges each message
};

/// Knows the ways. Thread: any shard.
class RouteSource {
 public:
  virtual ~RouteSource() = default;
  using Found = tl::expected<std::shared_ptr<const Route>, NoRoute>;
  using Resolved = tl::expected<Target, NoRoute>;
  [[nodiscard]] virtual net::Awaitable<Found> find(route::Destination destination) = 0;
  /// Addresses and policy of one of its hosts, credentials included. A verdict counts when every host has one.
  [[nodiscard]] virtual net::Awaitable<Resolved> resolve(
    std::shared_ptr<const Route> route, std::size_t host
  ) = 0;
  /// The generation that find() would give now.
  [[nodiscard]] virtual std::uint64_t generation(const route::Destination& destination) const = 0;
  /// The host refused the credentials that resolve() gave.
  virtual void credentials_refused(const Route& route, std::size_t host, const Target& target) = 0;
  /// The host judged a message, the first over its connection: it takes the credentials, or asks for none.
  virtual void credentials_accepted(const Route& route, std::size_t host) = 0;
  /// Whether one more message may go out by this target's source today; counts it.
  virtual bool may_send(const Target& target) = 0;
  /// A connection to an MX host was secured, or could not be: for TLS reports.
  virtual void tls_tried(
    const Route& route, std::size_t host, const Target& target, const std::optional<net::TlsFault>& fault
  ) = 0;
};

/// Says whose mail servers a destination has. Thread: any.
class ProviderSource {
 public:
  struct Answer {
    std::string provider;  ///< empty: none, or it could not be found out
    milliseconds valid_for{};
  };
  virtual ~ProviderSource() = default;
  [[nodiscard]] virtual net::Awaitable<Answer> provider(route::Destination destination) = 0;
};

/// Where a connection went, for logs.
struct Peer {
  std::string name;     ///< the host as configured or as the DNS names it, host:port
  std::string address;  ///< what it was connected at
  std::string tls;      ///< `TLSv1.3 TLS_AES_256_GCM_SHA384 verified`, or empty
  std::string source;   ///< the name of the address that it came from; empty when the system chose
  /// How long which part took, for log lines as Postfix has them.
  std::chrono::nanoseconds connecting{
  };  ///< lookup, connect, greeting, TLS, AUTH; none on a connection used before
  std::uint64_t messages_before = 0;  ///< over this connection
};

/// Hears of everything that happens on outbound connections to one destination. Called on the shard; implemented
/// by the engine.
class Reporter {
 public:
  virtual ~Reporter() = default;
  /// Whether a delivery that begins now could be recorded.
  [[nodiscard]] virtual bool may_begin() const = 0;
  /// Whether a job that no host has seen is still to be done, asked when a connection takes it. False: the reporter has it
  /// back, and no answer follows.
  [[nodiscard]] virtual bool still_wants(const Job& job) = 0;
  /// A job's answer. Recipients that are `untried` were not judged.
  /// @param sending  how long the exchange of the message took
  virtual void attempted(
    Job job, smtp::MessageOutcome outcome, Peer peer, std::chrono::nanoseconds sending
  ) = 0;
  /// A job's answer when no connection took it.
  virtual void untried(Job job) = 0;
  virtual void connection_ready(const Peer& peer) = 0;
  virtual void connection_closed() = 0;
  /// One host could not be used, others may be, or the same without TLS that nothing demands: for the log.
  virtual void host_failed(const smtp::HopFailure& failure, const Peer& peer) = 0;
  /// A connection failed, on all hosts that were tried. Behind connection_closed(), when it had been ready.
  /// @param was_of_use  whether it carried a message before: then its end says little about the hop
  virtual void hop_failed(const smtp::HopFailure& failure, const Peer& peer, bool was_of_use) = 0;
};

}  // namespace relay::delivery
