#pragma once
/// What the engine's parts share.

#include <memory>
#include <vector>

#include "relay/base/clock.hpp"
#include "relay/base/log.hpp"
#include "relay/dkim/rule.hpp"
#include "relay/metrics/counters.hpp"
#include "relay/net/io_thread.hpp"
#include "relay/policy/guard.hpp"
#include "relay/queue/shape.hpp"
#include "relay/route/route_table.hpp"
#include "relay/spool/committer.hpp"

namespace relay::engine {

/// How senders are told of their mail.
struct ReportSettings {
  mail::Address from;  ///< null: MAILER-DAEMON at the host's name
  Octets max_returned{50'000};
  queue::Rate rate{100, std::chrono::hours{1}};  ///< to one address
};

/// Settings that may change while the relay runs: an immutable snapshot.
struct Limits {
  std::string hostname;
  std::shared_ptr<const route::RouteTable> routes =
    std::make_shared<route::RouteTable>(std::vector<route::SmarthostRule>{});
  std::shared_ptr<const dkim::Rules> signing;  ///< null: nothing is signed
  std::vector<std::string> bulk_senders;
  policy::Guard guard;         ///< which mail may leave
  bool hides_clients = false;  ///< our `Received:` does not say where a message came from
  ReportSettings reports;
  milliseconds dead_letter_max_age = std::chrono::hours{168};
  Octets spool_max_size;
  std::uint64_t spool_min_free_percent = 10;
};

class LimitsSource {
 public:
  virtual ~LimitsSource() = default;
  /// Thread: any.
  [[nodiscard]] virtual std::shared_ptr<const Limits> limits() const = 0;
};

/// Wall time that does not jump while the process runs: as it was at start, and what has passed since. Due
/// times are compared by it, so that a clock which is set neither expires mail nor holds it back.
class QueueClock {
 public:
  explicit QueueClock(const Clock& clock)
      : clock_(clock), start_(clock.wall()), steady_start_(clock.steady()) {}
  [[nodiscard]] WallTime now() const {
    return start_ + std::chrono::duration_cast<milliseconds>(clock_.steady() - steady_start_);
  }
  [[nodiscard]] const Clock& clock() const { return clock_; }

 private:
  const Clock& clock_;
  WallTime start_;
  SteadyTime steady_start_;
};

/// References outlive the engine: owned by the app.
struct Context {
  spool::Store& store;
  spool::Committer& committer;
  const QueueClock& clock;
  const LimitsSource& limits;
  const queue::ShapeSource& shapes;  ///< of any thread
  log::Sink& log;
  metrics::Registry& metrics;
  metrics::Shard& committer_counters;  ///< for what is counted on the committer's thread
  net::WorkerPool& workers;
};

}  // namespace relay::engine
