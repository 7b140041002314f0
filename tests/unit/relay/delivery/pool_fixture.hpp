#pragma once
/// A pool whose hosts the test plays, and what it reports.

#include <gmock/gmock.h>
#include <mutex>
#include <set>

#include "relay/delivery/pool.hpp"
#include "tests/support/exchange.hpp"
#include "tests/support/loop.hpp"
#include "tests/support/peer.hpp"

namespace relay::delivery {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

class Text : public ContentSource {
 public:
  explicit Text(std::vector<std::string> pieces) : pieces_(std::move(pieces)) {}
  net::Awaitable<Result<std::string>> next() override {
    Result<std::string> piece = next_ < pieces_.size() ? pieces_[next_++] : std::string();
    if (*piece == "unreadable") piece = permanent(Errc::corrupt, "checksum");
    co_return piece;
  }

 private:
  std::vector<std::string> pieces_;
  std::size_t next_ = 0;
};

/// Keeps what the pool reports, in order.
class Reports : public Reporter {
 public:
  bool may_begin() const override { return spool_works; }
  bool still_wants(const Job& job) override {
    if (!unwanted.contains(job.id.number)) return true;
    add(std::to_string(job.id.number) + " taken back");
    return false;
  }
  void attempted(Job job, smtp::MessageOutcome outcome, Peer peer, std::chrono::nanoseconds) override {
    const std::scoped_lock lock(mutex_);
    static constexpr const char* kNames[] = {"delivered", "deferred", "failed", "untried"};
    auto line = std::to_string(job.id.number);
    for (const auto& recipient : outcome.recipients)
      line += " " + std::string(kNames[static_cast<int>(recipient.disposition)]);
    lines_.push_back(std::move(line));
    last_peer = std::move(peer);
    last_unreadable = outcome.unreadable;
    last_outcome = std::move(outcome);
  }
  void untried(Job job) override { add(std::to_string(job.id.number) + " returned"); }
  void connection_ready(const Peer&) override { add("ready"); }
  void connection_closed() override { add("closed"); }
  void host_failed(const smtp::HopFailure& failure, const Peer& peer) override {
    add("host failed: " + peer.name + ": " + std::string(smtp::doing(failure.stage)));
  }
  void hop_failed(const smtp::HopFailure& failure, const Peer&, bool was_of_use) override {
    add((was_of_use ? "old hop failed: " : "hop failed: ") + failure.error.context);
  }
  std::vector<std::string> lines() {
    const std::scoped_lock lock(mutex_);
    return lines_;
  }
  bool has(const std::string& line) {
    const auto all = lines();
    return std::find(all.begin(), all.end(), line) != all.end();
  }
  Peer last_peer;
  std::optional<Error> last_unreadable;
  smtp::MessageOutcome last_outcome;
  std::atomic<bool> spool_works{true};
  std::set<std::uint64_t> unwanted;  // before start()

 private:
  void add(std::string line) {
    const std::scoped_lock lock(mutex_);
    lines_.push_back(std::move(line));
  }
  std::mutex mutex_;
  std::vector<std::string> lines_;
};

/// A destination whose hosts are played by the test. They are told apart by their names: `hop0`, `hop1`, ...
class PoolTest : public ::testing::Test, public RouteSource {
 protected:
  void SetUp() override {
    Route route;
    route.hosts = {host(acceptor.port())};
    route.idle_time = 10s;
    route_ = std::make_shared<Route>(std::move(route));
  }
  void TearDown() override {
    net::ask(loop.thread, [this] {
      pool.stop();
      tasks.close_all();
    });
    test::eventually(
      [this] { return net::ask(loop.thread, [this] { return tasks.count() == 0; }); },
      "the end of all connections"
    );
    loop.thread.stop();
  }

  Host host(std::uint16_t port) {
    Host host;
    host.name = "hop" + std::to_string(hosts_made_++);
    host.next_hop.endpoint = {host.name, port};
    host.next_hop.policy = {"relay.example", smtp::TlsMode::none, std::nullopt, {}};
    host.connect_timeout = 5s;
    return host;
  }
  void change(const std::function<void(Route&)>& change) {
    const std::scoped_lock lock(mutex_);
    auto changed = std::make_shared<Route>(*route_);
    change(*changed);
    route_ = std::move(changed);
  }

  net::Awaitable<Found> find(route::Destination) override {
    const std::scoped_lock lock(mutex_);
    Found found = route_;
    if (no_route) found = tl::unexpected(*no_route);
    co_return found;
  }
  net::Awaitable<Resolved> resolve(std::shared_ptr<const Route> route, std::size_t host) override {
    const std::scoped_lock lock(mutex_);
    const auto& chosen = route->hosts[host];
    Target target;
    target.addresses = addresses;
    target.policy = chosen.next_hop.policy;
    target.demand.server_name = chosen.name;
    if (tls_is_tested) target.demand.verify = net::Verify::certificate;
    target.demand.is_tested = tls_is_tested;
    Resolved resolved = std::move(target);
    const auto verdict = verdicts.find(chosen.name);
    if (verdict != verdicts.end()) resolved = tl::unexpected(verdict->second);
    co_return resolved;
  }
  std::uint64_t generation(const route::Destination&) const override {
    const std::scoped_lock lock(mutex_);
    return route_->generation;
  }
  void credentials_refused(const Route& route, std::size_t host, const Target&) override {
    const std::scoped_lock lock(mutex_);
    credentials_.push_back("refused by " + route.hosts[host].name);
  }
  void credentials_accepted(const Route& route, std::size_t host) override {
    const std::scoped_lock lock(mutex_);
    credentials_.push_back("accepted by " + route.hosts[host].name);
  }
  bool may_send(const Target&) override { return sends_left-- > 0; }
  void tls_tried(const Route&, std::size_t, const Target&, const std::optional<net::TlsFault>& fault)
    override {
    const std::scoped_lock lock(mutex_);
    tls_tries_.push_back(fault ? std::string(net::to_result_type(fault->kind)) : "good");
  }
  /// What was told of credentials.
  std::vector<std::string> credentials() const {
    const std::scoped_lock lock(mutex_);
    return credentials_;
  }
  std::vector<std::string> tls_tries() const {
    const std::scoped_lock lock(mutex_);
    return tls_tries_;
  }

  static Job job(
    std::uint64_t id, const std::vector<std::string>& recipients = {"c@d"},
    std::vector<std::string> content = {"A: b\r\n\r\n", ".x\r\n"}
  ) {
    Job job;
    job.id = {1, id};
    job.message.reverse_path = test::address("a@b");
    for (const auto& recipient : recipients) job.message.recipients.push_back(test::address(recipient));
    job.message.size = 10;
    job.open_content = [content = std::move(content)] { return std::make_unique<Text>(content); };
    return job;
  }
  void start(std::vector<Job> jobs) {
    net::ask(loop.thread, [&] {
      pool.start(std::move(jobs), 3);
      return true;
    });
  }
  void start(std::initializer_list<std::uint64_t> ids) {
    std::vector<Job> jobs;
    for (const auto id : ids) jobs.push_back(job(id));
    start(std::move(jobs));
  }
  void expect(const std::string& line) {
    EXPECT_TRUE(test::eventually([&] { return reports.has(line); }, line.c_str()))
      << ::testing::PrintToString(reports.lines());
  }

  /// The next hop's part of a connection.
  static void greet(test::Peer& peer) {
    peer.send("220 hop\r\n");
    EXPECT_EQ(peer.line(), "EHLO relay.example");
    peer.send("250-hop\r\n250 PIPELINING\r\n");
  }
  static std::string take_message(
    test::Peer& peer, const std::string& rcpt_replies = "250 ok\r\n",
    const std::string& end = "250 queued\r\n"
  ) {
    peer.until("DATA\r\n");
    peer.send("250 ok\r\n" + rcpt_replies + "354 go\r\n");
    auto content = peer.until("\r\n.\r\n");
    peer.send(end);
    return content;
  }

  /// The hop reads the beginning of the content, of many `x`, says that it is too large, and goes away.
  void refuse_in_the_middle(const std::vector<std::string>& content) {
    std::vector<Job> jobs;
    jobs.push_back(job(1, {"c@d"}, content));
    start(std::move(jobs));
    auto peer = acceptor.accept();
    greet(peer);
    peer.until("DATA\r\n");
    peer.send("250 ok\r\n250 ok\r\n354 go\r\n");
    peer.until("xxx");
    peer.send("552 5.3.4 too large\r\n");
    peer.reset();
    expect("1 failed");
    EXPECT_EQ(reports.last_outcome.recipients.at(0).reply.text, "too large");
  }

  test::Loop loop;
  test::Acceptor acceptor;
  Reports reports;
  net::TaskGroup tasks{loop.thread.executor(), [](const std::string& what) { ADD_FAILURE() << what; }};
  Pool pool{loop.thread.context(), {"smarthost/default"}, {tasks, *this, reports}};
  // Before start(), or between messages.
  std::optional<NoRoute> no_route;
  std::map<std::string, NoRoute> verdicts;  // by host
  bool tls_is_tested = false;
  std::vector<IpAddress> addresses{*IpAddress::parse("127.0.0.1")};  // of each host
  std::atomic<int> sends_left{1'000'000};

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> credentials_;
  std::vector<std::string> tls_tries_;
  std::shared_ptr<const Route> route_;
  int hosts_made_ = 0;
};

}  // namespace relay::delivery
