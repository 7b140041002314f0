#include "relay/tlspolicy/sts_cache.hpp"

#include <atomic>
#include <fstream>
#include <map>
#include <mutex>

#include "relay/net/completion.hpp"
#include "tests/support/folder.hpp"
#include "tests/support/loop.hpp"
#include "tests/support/quiet_log.hpp"

namespace relay::tlspolicy {
namespace {

using namespace std::chrono_literals;

class FakeClock : public Clock {
 public:
  WallTime wall() const override { return WallTime{milliseconds{1'800'000'000'000} + passed_.load()}; }
  SteadyTime steady() const override { return SteadyTime{passed_.load()}; }
  void pass(milliseconds time) { passed_ = passed_.load() + time; }

 private:
  std::atomic<milliseconds> passed_{1h};
};

/// DNS and the web in a few maps; what is not in them does not exist.
class World : public TxtLookup, public PolicyFetcher {
 public:
  net::Awaitable<Result<std::vector<std::string>>> txt(std::string name) override {
    const std::scoped_lock lock(mutex_);
    ++lookups_;
    const auto found = records_.find(name);
    if (is_dns_down_) co_return transient(Errc::timed_out, "no answer");
    if (found == records_.end()) co_return transient(Errc::name_not_found, "no such name");
    co_return std::vector<std::string>(1, found->second);
  }
  net::Awaitable<Result<std::string>> fetch_policy(std::string domain) override {
    using Text = Result<std::string>;
    std::function<void(std::function<void(Text)>)> start = [this, domain](std::function<void(Text)> answer) {
      const std::scoped_lock lock(mutex_);
      ++fetches_;
      if (is_slow_) held_.emplace_back(domain, std::move(answer));
      else answer(text_of(domain));
    };
    auto text = co_await net::answered_by<Text>(std::move(start));
    co_return text;
  }

  void publish(
    const std::string& domain, const std::string& id, const std::string& mx, int max_age = 864'000
  ) {
    const std::scoped_lock lock(mutex_);
    records_["_mta-sts." + domain] = "v=STSv1; id=" + id + ";";
    texts_[domain] =
      "version: STSv1\nmode: enforce\nmx: " + mx + "\nmax_age: " + std::to_string(max_age) + "\n";
  }
  void break_policy(const std::string& domain) {
    const std::scoped_lock lock(mutex_);
    texts_[domain] = "<html>";
  }
  void dns_down(bool is_down) {
    const std::scoped_lock lock(mutex_);
    is_dns_down_ = is_down;
  }
  void slow(bool is_slow) {
    const std::scoped_lock lock(mutex_);
    is_slow_ = is_slow;
    if (is_slow) return;
    for (auto& [domain, answer] : held_) answer(text_of(domain));
    held_.clear();
  }
  int lookups() const { return lookups_; }
  int fetches() const { return fetches_; }

 private:
  Result<std::string> text_of(const std::string& domain) const {
    const auto found = texts_.find(domain);
    if (found == texts_.end()) return transient(Errc::unavailable, "status 404");
    return found->second;
  }

  mutable std::mutex mutex_;
  std::map<std::string, std::string> records_;
  std::map<std::string, std::string> texts_;
  std::vector<std::pair<std::string, std::function<void(Result<std::string>)>>> held_;
  bool is_dns_down_ = false;
  bool is_slow_ = false;
  std::atomic<int> lookups_{0};
  std::atomic<int> fetches_{0};
};

class StsCacheTest : public ::testing::Test {
 protected:
  StsCacheTest() { restart(); }
  ~StsCacheTest() override { stop(); }

  void stop() {
    if (loop) loop->thread.stop();
    if (workers) workers->join();
    cache.reset();
    loop.reset();
  }
  /// A new process on the same folder.
  void restart() {
    stop();
    loop = std::make_unique<test::Loop>();
    workers = std::make_unique<net::WorkerPool>(1);
    options.folder = folder.path("sts");
    cache = std::make_unique<StsCache>(
      StsPorts{
        loop->thread.context(), *workers, world, world, clock, log,
        [this](const std::string&, sts::Fault) { ++faults; }
      },
      options
    );
  }
  /// The one host that the policy names, or `none`.
  std::string host_for(const std::string& domain) {
    const auto policy = loop->run(cache->policy_for(domain));
    return policy ? policy->mx.front() : "none";
  }
  std::string on_disk(const std::string& domain) const {
    std::string text;
    std::ifstream file(folder.path("sts/" + domain + ".json"));
    std::getline(file, text);
    return text;
  }
  bool is_on_disk(const std::string& domain) const { return !on_disk(domain).empty(); }

  test::Folder folder;
  test::QuietLog log;
  FakeClock clock;
  World world;
  StsOptions options;
  std::atomic<int> faults{0};
  std::unique_ptr<test::Loop> loop;
  std::unique_ptr<net::WorkerPool> workers;
  std::unique_ptr<StsCache> cache;
};

TEST_F(StsCacheTest, FetchesThePolicyOfADomainOnce) {
  world.publish("example.com", "1", "mx.example.com");
  EXPECT_EQ(host_for("example.com"), "mx.example.com");
  EXPECT_EQ(host_for("Example.COM."), "mx.example.com");
  EXPECT_EQ(world.fetches(), 1);
  EXPECT_EQ(world.lookups(), 1);
}

TEST_F(StsCacheTest, HasNoneForDomainsWithoutOne) {
  EXPECT_EQ(host_for("example.com"), "none");
  EXPECT_EQ(host_for("[192.0.2.1]"), "none");
  EXPECT_EQ(host_for("../../etc"), "none");
  EXPECT_EQ(world.fetches(), 0);
  EXPECT_EQ(world.lookups(), 1);
}

TEST_F(StsCacheTest, GoesWithoutWhenThePolicyIsNotValid) {
  world.publish("example.com", "1", "mx.example.com");
  world.break_policy("example.com");
  EXPECT_EQ(host_for("example.com"), "none");
  EXPECT_EQ(faults, 1);
  ASSERT_EQ(log.records("sts_fault").size(), 1U);
  EXPECT_EQ(log.first("sts_fault").at("fault"), "sts-policy-invalid");
}

TEST_F(StsCacheTest, KeepsPoliciesAcrossRestartsAndFailuresOfDnsCase130) {
  world.publish("example.com", "1", "mx.example.com");
  EXPECT_EQ(host_for("example.com"), "mx.example.com");
  test::eventually([&] { return is_on_disk("example.com"); }, "the file");
  world.dns_down(true);
  restart();
  const auto first_file = on_disk("example.com");
  EXPECT_EQ(host_for("example.com"), "mx.example.com");
  clock.pass(239h);
  EXPECT_EQ(host_for("example.com"), "mx.example.com");
  test::eventually([&] { return on_disk("example.com") != first_file; }, "the refresh");
  clock.pass(2h);
  world.break_policy("example.com");
  restart();
  EXPECT_EQ(host_for("example.com"), "mx.example.com") << "refreshed, whatever DNS said";
}

TEST_F(StsCacheTest, LosesPoliciesThatRanOut) {
  world.publish("example.com", "1", "mx.example.com", 3600);
  EXPECT_EQ(host_for("example.com"), "mx.example.com");
  world.dns_down(true);
  clock.pass(1h + 1ms);
  EXPECT_EQ(host_for("example.com"), "none");
}

TEST_F(StsCacheTest, TreatsADamagedFileAsAbsent) {
  world.publish("example.com", "1", "mx.example.com");
  EXPECT_EQ(host_for("example.com"), "mx.example.com");
  test::eventually([&] { return is_on_disk("example.com"); }, "the file");
  stop();
  std::ofstream(folder.path("sts/example.com.json")) << "{";
  world.publish("example.com", "2", "new.example.com");
  restart();
  EXPECT_EQ(host_for("example.com"), "new.example.com");
  EXPECT_EQ(log.records("sts_file").size(), 1U);
}

TEST_F(StsCacheTest, LetsManyWaitForOneFetch) {
  world.publish("example.com", "1", "mx.example.com");
  world.slow(true);
  std::vector<std::future<std::optional<sts::Policy>>> waiting;
  for (int i = 0; i < 20; ++i) waiting.push_back(loop->start(cache->policy_for("example.com")));
  test::eventually([&] { return world.fetches() == 1; }, "the fetch");
  EXPECT_EQ(waiting.front().wait_for(0ms), std::future_status::timeout);
  world.slow(false);
  for (auto& answer : waiting) EXPECT_TRUE(answer.get());
  EXPECT_EQ(world.fetches(), 1);
}

TEST_F(StsCacheTest, HoldsUpNoDeliveryForLong) {
  options.wait = 50ms;
  restart();
  world.publish("example.com", "1", "mx.example.com");
  world.slow(true);
  EXPECT_EQ(host_for("example.com"), "none");
  world.slow(false);
  test::eventually([&] { return host_for("example.com") == "mx.example.com"; }, "the policy that came late");
}

TEST_F(StsCacheTest, TakesANewIdUpInTheBackground) {
  world.publish("example.com", "1", "old.example.com");
  EXPECT_EQ(host_for("example.com"), "old.example.com");
  world.publish("example.com", "2", "new.example.com");
  EXPECT_EQ(host_for("example.com"), "old.example.com") << "the record is asked for every few minutes";
  clock.pass(sts::kRecordInterval);
  world.slow(true);
  EXPECT_EQ(host_for("example.com"), "old.example.com") << "nobody waits";
  test::eventually([&] { return world.fetches() == 2; }, "the fetch");
  world.slow(false);
  test::eventually([&] { return host_for("example.com") == "new.example.com"; }, "the new policy");
}

TEST_F(StsCacheTest, WaitsForTheNewIdBehindARefusalCase130) {
  world.publish("example.com", "1", "old.example.com");
  EXPECT_EQ(host_for("example.com"), "old.example.com");
  world.publish("example.com", "2", "new.example.com");
  clock.pass(sts::kShortRecordInterval);
  cache->refused("example.com");
  EXPECT_EQ(host_for("example.com"), "new.example.com");
}

TEST_F(StsCacheTest, RefreshesWhatIsInUseWithoutBeingAsked) {
  world.publish("example.com", "1", "mx.example.com");
  world.publish("short.example", "1", "mx.example.com", 3600);
  EXPECT_EQ(host_for("example.com"), "mx.example.com");
  EXPECT_EQ(host_for("short.example"), "mx.example.com");
  test::eventually([&] { return is_on_disk("example.com") && is_on_disk("short.example"); }, "the files");
  clock.pass(sts::kRefreshInterval);
  world.dns_down(true);
  restart();
  cache->refresh();
  test::eventually([&] { return world.fetches() == 3; }, "the refresh");
  test::eventually([&] { return !is_on_disk("short.example"); }, "the removal of what ran out");
}

TEST_F(StsCacheTest, BoundsWhatIsInMemoryAndLoadsItAgain) {
  options.max_domains = 2;
  restart();
  for (const auto* domain : {"a.example", "b.example"}) {
    world.publish(domain, "1", std::string("mx.") + domain);
    EXPECT_EQ(host_for(domain), std::string("mx.") + domain);
    test::eventually([&] { return is_on_disk(domain); }, "the file");
  }
  EXPECT_EQ(host_for("c.example"), "none");
  EXPECT_EQ(host_for("d.example"), "none");
  world.dns_down(true);
  EXPECT_EQ(host_for("a.example"), "mx.a.example");
  EXPECT_EQ(world.fetches(), 2);
  test::eventually([&] { return world.lookups() == 5; }, "a look-up that shows that it was loaded anew");
}

TEST_F(StsCacheTest, PutsOffFetchesBeyondItsLimit) {
  options.max_fetches = 1;
  restart();
  world.publish("a.example", "1", "mx.a.example");
  world.publish("b.example", "1", "mx.b.example");
  world.slow(true);
  auto first = loop->start(cache->policy_for("a.example"));
  test::eventually([&] { return world.fetches() == 1; }, "the fetch");
  EXPECT_EQ(host_for("b.example"), "none");
  world.slow(false);
  EXPECT_TRUE(first.get());
  EXPECT_EQ(host_for("b.example"), "mx.b.example");
}

}  // namespace
}  // namespace relay::tlspolicy
