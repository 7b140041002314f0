#pragma once
/// The outbound connections of one shard to one destination.

#include <deque>
#include <list>
#include <optional>

#include "relay/delivery/ports.hpp"
#include "relay/net/resolver.hpp"
#include "relay/net/task_group.hpp"

namespace relay::delivery {

/// Gives jobs to connections, opens more while jobs wait and the limit allows, keeps idle ones for a while.
/// When a connection cannot be had and no other is left, the waiting jobs go back untried.
///
/// Thread: its shard's. All references outlive it; it outlives its connections (its task group is waited for
/// first).
class Pool {
 public:
  struct Services {
    net::TaskGroup& tasks;
    net::Resolver& resolver;
    const HopSource& hops;
    Reporter& reporter;
  };
  Pool(net::asio::io_context& context, Services services, std::size_t max_connections);

  /// @param may_connect  whether further connections may be opened for these jobs
  void start(std::vector<Job> jobs, bool may_connect);
  /// Jobs that no connection has taken go back untried, idle connections end, and none is kept from now on.
  void stop();
  /// Connections that are looked up, connected, or greeted: none of them has a job yet, so nobody need wait for
  /// one when the relay stops.
  [[nodiscard]] std::size_t opening() const { return opening_; }

  // ---- for connections ----

  /// It asks for jobs from now on.
  void connection_ready() { --opening_; }
  /// The next job, waiting for one up to the hop's idle time; nothing when the connection should end.
  [[nodiscard]] net::Awaitable<std::optional<Job>> next_job(const Hop& hop);
  /// @param came_to_nothing  it never became ready
  void connection_ended(bool came_to_nothing);
  [[nodiscard]] const Services& services() const { return services_; }

 private:
  void open_connections();
  void return_jobs();

  net::asio::io_context& context_;
  Services services_;
  std::size_t max_connections_;
  std::deque<Job> jobs_;
  std::size_t connections_ = 0;               // open or being opened
  std::size_t opening_ = 0;                   // of these, not asking for jobs yet
  std::list<net::asio::steady_timer*> idle_;  // connections that wait for a job
  bool is_stopped_ = false;
};

}  // namespace relay::delivery
