#include "operator/runtime/elector.hpp"

#include <gmock/gmock.h>

#include "tests/support/quiet_log.hpp"
#include "tests/unit/operator/runtime/fakes.hpp"

namespace op::runtime {
namespace {

/// Holds one Lease, as an API server would.
class LeaseServer : public kube::Transport {
 public:
  relay::Result<kube::Response> send(const kube::Request& request, std::stop_token stop) override {
    while (is_stuck) std::this_thread::sleep_for(milliseconds{1});
    if (hangs) {
      const auto end = std::chrono::steady_clock::now() + request.deadline;
      while (std::chrono::steady_clock::now() < end && !stop.stop_requested())
        std::this_thread::sleep_for(milliseconds{1});
      return relay::transient(relay::Errc::timed_out, "scripted");
    }
    const std::lock_guard lock(mutex_);
    if (request.method == kube::Method::get) {
      if (lease_.is_null()) return kube::Response{404, "{}", {}};
      return kube::Response{200, lease_.dump(), {}};
    }
    auto next = kube::Json::parse(request.body);
    const auto version = kube::resource_version_of(next);
    if (version != (lease_.is_null() ? "" : kube::resource_version_of(lease_)))
      return kube::Response{409, "{}", {}};
    next["metadata"]["resourceVersion"] = std::to_string(++version_);
    lease_ = next;
    return kube::Response{200, lease_.dump(), {}};
  }
  relay::Result<kube::Response> stream(const kube::Request&, const kube::OnBytes&, std::stop_token) override {
    return relay::transient(relay::Errc::connection_failed, "no streams here");
  }
  [[nodiscard]] std::string holder() const {
    const std::lock_guard lock(mutex_);
    return parse_lease(lease_).holder;
  }
  /// As a renewal does whose answer nobody waited for.
  void touch() {
    const std::lock_guard lock(mutex_);
    lease_["metadata"]["resourceVersion"] = std::to_string(++version_);
  }
  std::atomic<bool> hangs{false};
  std::atomic<bool> is_stuck{false};  ///< hangs whatever deadline or stop it is given

 private:
  mutable std::mutex mutex_;
  kube::Json lease_;
  int version_ = 0;
};

/// One process with short times.
struct Candidate {
  Candidate(LeaseServer& server, const std::string& identity)
      : gate(milliseconds{100}),
        client(server, gate, "smtp-relay-operator"),
        elector(
          {"mail", "l"}, {identity, seconds{1}, milliseconds{400}, milliseconds{50}},
          {client, leadership, metrics, clock, jitter, log},
          {[this](std::stop_token) { leads = true; }, [this] { leads = false; },
           [this] {
             was_expired = leadership.is_expired();
             was_overdue = true;
           }}
        ) {}

  BootClock clock;
  Metrics metrics{{"c", "lease", "smtp_relay_operator"}, 1, "h"};
  FixedJitter jitter;
  relay::test::QuietLog log;
  Leadership leadership{clock, TokenBucket(100, 100), metrics};
  kube::OpenGate gate;
  kube::Client client;
  std::atomic<bool> leads{false};
  std::atomic<bool> was_overdue{false};
  std::atomic<bool> was_expired{false};
  Elector elector;
};

bool eventually(const std::function<bool()>& holds) {
  const auto end = std::chrono::steady_clock::now() + seconds{10};
  while (!holds() && std::chrono::steady_clock::now() < end) std::this_thread::sleep_for(milliseconds{1});
  return holds();
}

TEST(Elector, LeadsAloneAndFreesTheLeaseWhenItStops) {
  LeaseServer server;
  Candidate one(server, "one");
  one.elector.start();
  EXPECT_TRUE(eventually([&] { return one.leads.load(); }));
  EXPECT_TRUE(one.leadership.is_leading());
  EXPECT_EQ(server.holder(), "one");
  one.elector.stop();
  EXPECT_FALSE(one.leads);
  EXPECT_FALSE(one.leadership.is_leading());
  EXPECT_EQ(server.holder(), "");
}

TEST(Elector, FreesALeaseWhoseVersionMovedMeanwhile) {
  LeaseServer server;
  Candidate one(server, "one");
  one.elector.start();
  EXPECT_TRUE(eventually([&] { return one.leads.load(); }));
  server.touch();
  one.elector.stop();
  EXPECT_EQ(server.holder(), "");
}

TEST(Elector, LeavesTheLeadToTheOneWhoHasIt) {
  LeaseServer server;
  Candidate one(server, "one");
  Candidate two(server, "two");
  one.elector.start();
  EXPECT_TRUE(eventually([&] { return one.leads.load(); }));
  two.elector.start();
  std::this_thread::sleep_for(milliseconds{300});
  EXPECT_FALSE(two.leads);
  one.elector.stop();
  EXPECT_TRUE(eventually([&] { return two.leads.load(); }));
}

TEST(Elector, StandsByInProcessWhenTheServerIsAwayAndLeadsAgainWhenItIsBack) {
  LeaseServer server;
  Candidate one(server, "one");
  one.elector.start();
  EXPECT_TRUE(eventually([&] { return one.leads.load(); }));
  server.hangs = true;
  EXPECT_TRUE(eventually([&] { return !one.leads.load(); }));
  EXPECT_FALSE(one.leadership.is_leading());
  server.hangs = false;
  EXPECT_TRUE(eventually([&] { return one.leads.load(); }));
  EXPECT_FALSE(one.was_overdue) << "the watchdog had no reason to bark";
}

TEST(Elector, HasAWatchdogForAWriteThatOutlivesTheLease) {
  LeaseServer server;
  Candidate one(server, "one");
  one.elector.start();
  EXPECT_TRUE(eventually([&] { return one.leads.load(); }));
  const auto write = one.leadership.admit({});
  ASSERT_TRUE(write);
  server.hangs = true;
  EXPECT_TRUE(eventually([&] { return one.was_overdue.load(); }));
  EXPECT_FALSE(one.was_expired) << "it ends the process while the lease is still its own";
  server.hangs = false;
}

TEST(Elector, EndsTheProcessBeforeTheLeaseExpiresWhenItsOwnThreadHangs) {
  LeaseServer server;
  Candidate one(server, "one");
  one.elector.start();
  EXPECT_TRUE(eventually([&] { return one.leads.load(); }));
  server.is_stuck = true;
  EXPECT_TRUE(eventually([&] { return one.was_overdue.load(); }));
  EXPECT_FALSE(one.was_expired);
  EXPECT_TRUE(one.leads) << "nobody could tell the others";
  server.is_stuck = false;
}

}  // namespace
}  // namespace op::runtime
