#pragma once
/// The inbound half of one shard: its listeners and the sessions and pages behind them.

#include <atomic>
#include <memory>
#include <vector>

#include "relay/app/live.hpp"
#include "relay/app/pages.hpp"
#include "relay/net/listener.hpp"

namespace relay::app {

/// Inbound connections of all shards.
using ConnectionCount = std::atomic<std::uint64_t>;

/// Thread: its shard's, but for construction and the open functions, which come before the shard serves
/// anything.
class Front {
 public:
  struct Services {
    net::IoThread& thread;
    std::size_t shard;
    Live& live;
    Subject& subject;
    log::Sink& log;
    ConnectionCount& connections;
    session::ClientCounts& clients;
    session::RefusalLog& refusals;
    session::SourceSightings& sightings;
    session::PasswordChecks& passwords;
    session::FailedLogins& failed_logins;
    session::RateLimits& rate_limits;
    net::Resolver& resolver;
  };
  explicit Front(Services services);

  /// Pages that answer before mail can: health, and metrics.
  [[nodiscard]] Result<void> open_pages(const config::Settings& settings);
  /// SMTP, and the admin pages. The engine outlives the sessions.
  [[nodiscard]] Result<void> open_mail(
    const config::Settings& settings, engine::Engine& engine, const std::string& admin_token
  );

  /// Sessions finish their transaction and begin no other.
  void interrupt_sessions() { sessions_.interrupt_all(); }
  void close_sessions() { sessions_.close_all(); }
  /// Listeners and pages.
  void close();
  /// Connections that are turned away are none.
  [[nodiscard]] std::size_t sessions() const { return sessions_.count(); }
  /// Connections for pages.
  [[nodiscard]] std::size_t pages() const;
  /// Where the main listener is, for tests that asked for any free port.
  [[nodiscard]] std::vector<Endpoint> mail_endpoints() const { return mail_.front()->endpoints(); }

 private:
  [[nodiscard]] Result<void> open_server(
    const std::vector<Endpoint>& endpoints, http::Handler handler, http::BodyLimit body_limit = {}
  );
  [[nodiscard]] Result<void> open_listener(
    const std::vector<Endpoint>& endpoints, engine::Engine& engine, const session::RulesSource& source
  );
  void accept(net::Stream stream, engine::Engine& engine, const session::RulesSource& source);
  /// Greets with a refusal; where TLS comes first the connection is closed without a word.
  void turn_away(net::Stream stream, const session::Rules& rules, std::string_view why);
  [[nodiscard]] net::Awaitable<void> serve(
    net::Stream stream, const session::RulesSource& source, session::Services services
  );

  Services services_;
  metrics::Shard& counters_;
  net::TaskGroup sessions_;
  session::TurnedAway turned_away_;
  std::vector<std::unique_ptr<net::Listener>> mail_;  // the main one first
  std::vector<std::unique_ptr<http::Server>> servers_;
};

}  // namespace relay::app
