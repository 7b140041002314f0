#pragma once
/// What outgoing mail needs beside the engine: names, policies, ways.

#include <memory>

#include "relay/app/live.hpp"
#include "relay/net/resolver.hpp"
#include "relay/outbound/shapes.hpp"
#include "relay/outbound/tls_reports.hpp"
#include "relay/outbound/ways.hpp"

namespace relay::app {

/// Lives on the scheduler's loop. Goes when no loop runs any more, before the loops themselves; the live settings
/// outlive it.
class Outgoing {
 public:
  struct Services {
    net::IoThread& loop;
    net::Resolver& resolver;
    const outbound::PlanSource& plans;
    const Clock& clock;
    log::Sink& log;
    std::string node;  ///< sets this node's reports apart from those of others
  };
  /// @param spool_path  has folders and files beside the spool: `mta-sts`, `sources.json`, `tls-reports.json`
  /// Blocks for the disk.
  Outgoing(Services services, const std::string& spool_path);
  ~Outgoing();
  Outgoing(const Outgoing&) = delete;
  Outgoing& operator=(const Outgoing&) = delete;

  [[nodiscard]] outbound::Ways& ways() { return *ways_; }
  [[nodiscard]] const queue::ShapeSource& shapes() const { return shapes_; }
  /// About once a second, on the control thread: keeps what is counted, renews policies, sends reports.
  void tick(outbound::OwnMail& mail);
  /// Once the loop has ended.
  void join() { workers_.join(); }

 private:
  class Names;
  class Policies;
  class Carrier;
  class Chance;
  void keep_ledger();
  void keep_reports();

  Services services_;
  std::string ledger_path_;
  std::string kept_ledger_;
  net::WorkerPool workers_{1};
  std::unique_ptr<Names> names_;
  std::unique_ptr<Policies> policies_;
  std::unique_ptr<Carrier> carrier_;
  std::unique_ptr<Chance> chance_;
  std::string reports_path_;
  std::optional<std::string> unkept_reports_;
  SteadyTime next_keeping_{};
  std::unique_ptr<outbound::TlsReports> reports_;
  std::unique_ptr<tlspolicy::StsCache> sts_;
  outbound::Shapes shapes_;
  std::unique_ptr<outbound::Ways> ways_;
  SteadyTime next_refresh_{};
};

}  // namespace relay::app
