#pragma once
/// What the relay answers over HTTP: health, metrics, admin.

#include <string>
#include <vector>

#include "relay/app/state.hpp"
#include "relay/base/clock.hpp"
#include "relay/config/settings.hpp"
#include "relay/engine/engine.hpp"
#include "relay/engine/journal.hpp"
#include "relay/http/server.hpp"
#include "relay/session/source_sightings.hpp"

namespace relay::app {

/// What the pages tell about. References outlive the servers. `engine` is null until the spool is open.
struct Subject {
  State& state;
  const config::Settings& identity;  ///< for /node: settings that never change while the process runs
  const Clock& clock;
  WallTime start;
  const log::StdoutSink& log;
  metrics::Registry& metrics;
  std::vector<net::IoThread*> loops;  ///< shards and scheduler: whose heartbeat /livez asks for
  std::atomic<engine::Engine*> engine{nullptr};
  const std::atomic<std::uint64_t>* sessions =
    nullptr;  ///< SMTP connections, for /node; null: none are counted
  const engine::Journal* journal =
    nullptr;  ///< what /v1/trace tells of messages that are gone; null: nothing
  const session::SourceSightings* sightings = nullptr;  ///< for /sources; null: nothing was seen
};

/// Why no mail should be sent here now; nothing when it should. Thread: any.
[[nodiscard]] std::optional<std::string> unready_reason(const Subject& subject);
/// Why load balancers should turn to others: that, or what `health_fail_on` names. Thread: any.
[[nodiscard]] std::optional<std::string> unhealthy_reason(const Subject& subject);

/// /livez, /readyz, /health, /node, /sources; with `has_metrics` /metrics too.
[[nodiscard]] http::Handler health_pages(Subject& subject, bool has_metrics);
[[nodiscard]] http::Handler metrics_page(Subject& subject);
/// The admin interface (docs/operations.md); every request needs `Authorization: Bearer TOKEN`.
[[nodiscard]] http::Handler admin_pages(Subject& subject, std::string token);
/// 2 MiB for who has the token.
[[nodiscard]] http::BodyLimit admin_body_limit(std::string token);

/// Draws a token and writes it to `admin.token` in the spool folder, mode 0600. Blocks for the disk. Errors:
/// storage_failed.
[[nodiscard]] Result<std::string> make_admin_token(const std::string& spool_path);

}  // namespace relay::app
