#pragma once
/// Ways through a scripted DNS and policies that a test publishes.

#include <atomic>
#include <fstream>
#include <map>
#include <set>

#include "relay/outbound/ways.hpp"
#include "tests/support/folder.hpp"
#include "tests/support/loop.hpp"
#include "tests/support/quiet_log.hpp"
#include "tests/support/signed_zone.hpp"
#include "tests/unit/relay/outbound/fixture.hpp"

namespace relay::outbound {

class HeldClock : public Clock {
 public:
  [[nodiscard]] WallTime wall() const override { return WallTime{kDay} + passed_.load(); }
  [[nodiscard]] SteadyTime steady() const override { return SteadyTime{passed_.load()}; }
  void pass(milliseconds time) { passed_ = passed_.load() + time; }

 private:
  std::atomic<milliseconds> passed_{milliseconds{12h}};
};

/// Domains with MTA-STS policies; all others have none.
class PublishedPolicies : public tlspolicy::TxtLookup, public tlspolicy::PolicyFetcher {
 public:
  void publish(const std::string& domain, const std::string& mode, const std::string& mx) {
    const std::scoped_lock lock(mutex_);
    texts_[domain] = "version: STSv1\nmode: " + mode + "\nmx: " + mx + "\nmax_age: 86400\n";
  }
  net::Awaitable<Result<std::vector<std::string>>> txt(std::string name) override {
    const std::scoped_lock lock(mutex_);
    ++asked_;
    if (!texts_.contains(name.substr(std::string("_mta-sts.").size())))
      co_return transient(Errc::name_not_found, "no such name");
    co_return std::vector<std::string>(1, "v=STSv1; id=" + std::to_string(asked_) + ";");
  }
  net::Awaitable<Result<std::string>> fetch_policy(std::string domain) override {
    const std::scoped_lock lock(mutex_);
    co_return texts_.at(domain);
  }
  [[nodiscard]] int asked() const { return asked_; }

 private:
  std::mutex mutex_;
  std::map<std::string, std::string> texts_;
  std::atomic<int> asked_{0};
};

class TriedLog : public TlsObserver {
 public:
  void policy_found(const std::string&, const sts::Policy&) override {}
  void tried(
    const std::string& domain, const std::string& host, const delivery::Target& target,
    const std::optional<net::TlsFault>& fault
  ) override {
    const std::scoped_lock lock(mutex_);
    lines_.push_back(
      domain + " " + host + " " + target.tls_policy + " " +
      (fault ? std::string(net::to_result_type(fault->kind)) : "good")
    );
  }
  std::vector<std::string> lines() const {
    const std::scoped_lock lock(mutex_);
    return lines_;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> lines_;
};

inline std::string a_rdata(const char* address) {
  std::string octets(4, '\0');
  inet_pton(AF_INET, address, octets.data());
  return octets;
}
inline std::string tlsa_rdata(char usage, const std::string& data = std::string(32, 'x')) {
  return std::string{usage, '\1', '\1'} + data;
}

class WaysTest : public ::testing::Test {
 protected:
  using Found = delivery::RouteSource::Found;
  using Resolved = delivery::RouteSource::Resolved;

  WaysTest() {
    plan.routes = std::make_shared<route::RouteTable>(std::vector<route::SmarthostRule>{});
    plan.mx.connect_timeout = 10s;
    plan.mx.policy.helo_name = "relay.test";
    plan.mx.own_names = {"relay.test"};
    plan.idle_time = 5s;
  }
  void TearDown() override {
    loop.thread.stop();
    workers.join();
    ways.reset();
    sts.reset();
    resolver.reset();
    plan = {};
    plans.set(plan);
  }

  /// Made when it is first used, with what the test has set until then.
  Ways& made() {
    plans.set(plan);
    if (ways) return *ways;
    EXPECT_TRUE(server.is_bound());
    net::ResolverFiles files;
    files.resolv_conf = folder.path("resolv.conf");
    files.hosts = folder.path("hosts");
    files.root_key = folder.path("none");
    std::ofstream(files.resolv_conf) << "nameserver " + server.host() + "\n";
    std::ofstream(files.hosts) << hosts_file;
    if (!anchor.empty()) {
      std::ofstream(folder.path("anchor")) << anchor;
      files.trust_anchors = {folder.path("anchor")};
    }
    resolver = std::make_unique<net::Resolver>(loop.thread.context(), files);
    sts = std::make_unique<tlspolicy::StsCache>(
      tlspolicy::StsPorts{loop.thread.context(), workers, policies, policies, clock, log, {}},
      tlspolicy::StsOptions{folder.path("mta-sts")}
    );
    ways = std::make_unique<Ways>(
      Ways::Services{plans, *resolver, *sts, clock, &tried}, SourceLedger::from_json(ledger)
    );
    return *ways;
  }

  void add_a(const std::string& host, const char* address) {
    server.add(host, net::kTypeA, a_rdata(address));
  }
  /// `domain` with one mail server `mx.<domain>`, at an address outside.
  void add_domain(const std::string& domain, const char* address = "192.0.2.1") {
    server.add(domain, net::kTypeMx, test::mx_rdata(10, "mx." + domain));
    add_a("mx." + domain, address);
  }
  Found find(const std::string& destination) {
    auto& from = made();
    return loop.run(from.find({destination}));
  }
  Resolved resolve(const std::shared_ptr<const delivery::Route>& route, std::size_t host = 0) {
    auto& from = made();
    return loop.run(from.resolve(route, host));
  }
  Resolved resolve_first(const std::string& destination) {
    const auto found = find(destination);
    if (!found) return tl::unexpected(found.error());
    return resolve(*found);
  }
  static std::string text(const delivery::NoRoute& why) {
    if (why.verdict) return std::to_string(why.verdict->code) + " " + why.verdict->status->to_text();
    EXPECT_EQ(why.error.fate, Fate::transient) << why.error.message();
    return "waits";
  }
  static std::string text(const Found& found) {
    if (!found) return text(found.error());
    std::string names;
    for (const auto& host : (*found)->hosts)
      names += (names.empty() ? "" : " ") + host.next_hop.endpoint.host;
    return names;
  }
  static std::string text(const Resolved& resolved) {
    if (!resolved) return text(resolved.error());
    std::string addresses;
    for (const auto& address : resolved->addresses)
      addresses += (addresses.empty() ? "" : " ") + address.to_text();
    return addresses;
  }

  test::Folder folder;
  test::QuietLog log;
  test::NameServer server;
  HeldClock clock;
  Plan plan;
  Plans plans;
  PublishedPolicies policies;
  TriedLog tried;
  std::string hosts_file;
  std::string anchor;
  std::string ledger;
  test::Loop loop;
  net::WorkerPool workers{1};
  std::unique_ptr<net::Resolver> resolver;
  std::unique_ptr<tlspolicy::StsCache> sts;
  std::unique_ptr<Ways> ways;
};

}  // namespace relay::outbound
