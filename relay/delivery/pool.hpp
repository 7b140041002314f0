#pragma once
/// The outbound connections of one shard to one destination.

#include <deque>
#include <list>
#include <map>
#include <optional>
#include <set>

#include "relay/delivery/ports.hpp"
#include "relay/net/task_group.hpp"

namespace relay::delivery {

/// Hosts that a message is offered to in one attempt, when each but the last defers it. Those that lack what it demands
/// (REQUIRETLS) are asked all, for that alone.
inline constexpr std::size_t kMaxHostsAMessage = 3;
/// How long a host that could not be used is tried behind all others.
inline constexpr std::chrono::seconds kHostAvoidance{60};

/// Hosts that have deferred a message, as `host:port`: it waits for another.
using Tried = std::set<std::string>;

/// Gives jobs to connections, opens more while jobs wait and the limit allows, keeps idle ones for a while.
/// When a connection cannot be had and no other is left, the waiting jobs go back untried.
///
/// A job that a host defers is offered to the next host of the destination (RFC 5321 section 5.1), by a connection
/// that is for such jobs alone, and counts not to the limit: one a shard and set of hosts.
///
/// Thread: its shard's. All references outlive it; it outlives its connections (its task group is waited for
/// first).
class Pool {
 public:
  struct Services {
    net::TaskGroup& tasks;
    RouteSource& routes;
    Reporter& reporter;
  };
  Pool(net::asio::io_context& context, route::Destination destination, Services services);

  /// @param max_connections  over all hosts, those included that are open
  void start(std::vector<Job> jobs, std::size_t max_connections);
  /// Jobs that no connection has taken go back untried, idle connections end, and none is kept from now on.
  void stop();
  /// Connections that are looked up, connected, or greeted: none of them has a job yet, so nobody need wait for
  /// one when the relay stops.
  [[nodiscard]] std::size_t opening() const { return opening_; }
  /// Nothing is under way.
  [[nodiscard]] bool is_empty() const { return connections_ == 0 && waiting() == 0; }

  // ---- for connections ----

  /// It asks for jobs from now on.
  void connection_ready(const Tried& tried);
  /// The next job that these hosts have deferred (none: a fresh one), waiting for one up to the route's idle time;
  /// nothing when the connection should end.
  [[nodiscard]] net::Awaitable<std::optional<Job>> next_job(const Route& route, const Tried& tried);
  /// It was not tried, and is the first of its kind again.
  void give_back(Job job, const Tried& tried) { jobs_[tried].push_front(std::move(job)); }
  /// What a host made of a job: answers it, or keeps it for another host.
  void attempted(
    Job job, smtp::MessageOutcome outcome, const Peer& peer, std::chrono::nanoseconds sending,
    const Route& route, const std::string& host, const Tried& tried
  );
  /// No host takes mail for this destination: judges every job that waits.
  void judge_all(const mail::Reply& verdict);
  /// A host could not be used.
  void avoid(const std::string& host);
  [[nodiscard]] bool is_avoided(const std::string& host) const;
  /// @param came_to_nothing  it never became ready
  void connection_ended(const Tried& tried, bool came_to_nothing);
  [[nodiscard]] const Services& services() const { return services_; }
  [[nodiscard]] const route::Destination& destination() const { return destination_; }

 private:
  [[nodiscard]] std::size_t waiting() const;
  [[nodiscard]] std::size_t fallbacks() const;
  void open_connections();
  void drop_unwanted();
  void open_connection(const Tried& tried);
  void return_jobs(const Tried& tried);
  void return_all();
  void answer(Job job, smtp::MessageOutcome outcome, const Peer& peer, std::chrono::nanoseconds sending);

  net::asio::io_context& context_;
  route::Destination destination_;
  Services services_;
  std::size_t max_connections_ = 1;
  std::map<Tried, std::deque<Job>> jobs_;
  std::map<Tried, std::size_t> serving_;  // connections for jobs of this kind
  std::size_t connections_ = 0;           // open or being opened
  std::size_t opening_ = 0;               // of these, not asking for jobs yet
  std::size_t opening_for_fresh_ = 0;     // of these, for jobs that no host was asked about
  std::list<net::Timer*> idle_;           // connections that wait for a fresh job
  std::map<std::string, std::chrono::steady_clock::time_point> avoided_until_;
  bool is_stopped_ = false;
};

}  // namespace relay::delivery
