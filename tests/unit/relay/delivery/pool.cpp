#include "relay/delivery/pool.hpp"

#include <gmock/gmock.h>
#include <mutex>

#include "tests/support/exchange.hpp"
#include "tests/support/loop.hpp"
#include "tests/support/peer.hpp"

namespace relay::delivery {
namespace {

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
  void attempted(Job job, smtp::MessageOutcome outcome, Peer peer) override {
    const std::scoped_lock lock(mutex_);
    static constexpr const char* kNames[] = {"delivered", "deferred", "failed", "untried"};
    lines_.push_back(
      std::to_string(job.id.number) + " " + kNames[static_cast<int>(outcome.recipients.front().disposition)]
    );
    last_peer = std::move(peer);
    last_unreadable = std::move(outcome.unreadable);
  }
  void untried(Job job) override { add(std::to_string(job.id.number) + " returned"); }
  void connection_ready(const Peer&) override { add("ready"); }
  void connection_closed() override { add("closed"); }
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
  std::atomic<bool> spool_works{true};

 private:
  void add(std::string line) {
    const std::scoped_lock lock(mutex_);
    lines_.push_back(std::move(line));
  }
  std::mutex mutex_;
  std::vector<std::string> lines_;
};

class PoolTest : public ::testing::Test, public HopSource {
 protected:
  void SetUp() override {
    hop_ = std::make_shared<Hop>();
    hop_->next_hop = {
      {"127.0.0.1", acceptor.port()}, {"relay.example", smtp::TlsMode::none, std::nullopt, {}}
    };
    hop_->connect_timeout = 5s;
    hop_->idle_time = 10s;
    hop_->messages_per_connection = 100;
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

  std::shared_ptr<const Hop> hop() const override {
    const std::scoped_lock lock(mutex_);
    return hop_;
  }
  void change_hop(const std::function<void(Hop&)>& change) {
    const std::scoped_lock lock(mutex_);
    auto changed = std::make_shared<Hop>(*hop_);
    change(*changed);
    hop_ = std::move(changed);
  }
  void start(
    std::initializer_list<std::uint64_t> ids, std::vector<std::string> content = {"A: b\r\n\r\n", ".x\r\n"}
  ) {
    net::ask(loop.thread, [&] {
      std::vector<Job> jobs;
      for (const auto id : ids) {
        jobs.push_back(
          {{1, id},
           {test::address("a@b"), {test::address("c@d")}, 10, mail::Body::undeclared},
           std::make_unique<Text>(content)}
        );
      }
      pool.start(std::move(jobs), true);
    });
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
  static std::string take_message(test::Peer& peer) {
    peer.until("DATA\r\n");
    peer.send("250 ok\r\n250 ok\r\n354 go\r\n");
    auto content = peer.until("\r\n.\r\n");
    peer.send("250 queued\r\n");
    return content;
  }

  test::Loop loop;
  test::Acceptor acceptor;
  Reports reports;
  net::Resolver resolver{loop.thread.context(), {}};
  net::TaskGroup tasks{loop.thread.executor(), [](const std::string& what) { ADD_FAILURE() << what; }};
  Pool pool{loop.thread.context(), {tasks, resolver, *this, reports}, 3};

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<Hop> hop_;
};

TEST_F(PoolTest, SendsSeveralMessagesOverOneConnection) {
  start({1});
  auto peer = acceptor.accept();
  greet(peer);
  EXPECT_EQ(take_message(peer), "A: b\r\n\r\n..x\r\n.\r\n");
  expect("1 delivered");
  start({2});
  take_message(peer);
  expect("2 delivered");
  EXPECT_EQ(reports.lines().front(), "ready");
  EXPECT_EQ(reports.last_peer.address, "127.0.0.1");
}

TEST_F(PoolTest, OpensAConnectionForEachWaitingJobUpToItsLimit) {
  start({1, 2, 3, 4, 5});
  auto first = acceptor.accept();
  auto second = acceptor.accept();
  auto third = acceptor.accept();
  for (auto* peer : {&first, &second, &third}) greet(*peer);
  for (auto* peer : {&first, &second, &third}) take_message(*peer);
  // The two that are left go to whoever is free first: answer all three until both have come.
  test::eventually([&] { return reports.has("3 delivered") || reports.lines().size() >= 6; });
  take_message(first);
  take_message(second);
  expect("4 delivered");
  expect("5 delivered");
}

TEST_F(PoolTest, GivesJobsBackWhenNoConnectionCanBeHad) {
  acceptor.close();
  start({1, 2});
  expect("1 returned");
  expect("2 returned");
  EXPECT_THAT(reports.lines().front(), HasSubstr("hop failed: connect to 127.0.0.1:"));
}

TEST_F(PoolTest, DefersWhatWasUnderWayWhenTheHopGoesAway) {
  start({1});
  auto peer = acceptor.accept();
  greet(peer);
  peer.until("DATA\r\n");
  peer.send("250 ok\r\n250 ok\r\n354 go\r\n");
  peer.until("A: b");
  peer.reset();
  expect("1 deferred");
  expect("closed");
}

TEST_F(PoolTest, TriesAgainOnAFreshConnectionWhenAnIdleOneWentAway) {
  start({1});
  {
    auto peer = acceptor.accept();
    greet(peer);
    take_message(peer);
    expect("1 delivered");
  }  // the next hop closes it while idle
  start({2});
  expect("2 untried");
}

TEST_F(PoolTest, ClosesAConnectionThatIsIdleForTooLong) {
  change_hop([](Hop& hop) { hop.idle_time = 100ms; });
  start({1});
  auto peer = acceptor.accept();
  greet(peer);
  take_message(peer);
  EXPECT_EQ(peer.line(), "QUIT");
  peer.send("221 bye\r\n");
  expect("closed");
}

TEST_F(PoolTest, SendsNoMoreOverAConnectionThanItShould) {
  change_hop([](Hop& hop) { hop.messages_per_connection = 1; });
  start({1});
  auto first = acceptor.accept();
  greet(first);
  take_message(first);
  EXPECT_EQ(first.line(), "QUIT");
  first.close();
  start({2});
  auto second = acceptor.accept();
  greet(second);
  take_message(second);
  expect("2 delivered");
}

TEST_F(PoolTest, LetsGoOfConnectionsWhoseHopChanged) {
  start({1});
  auto old = acceptor.accept();
  greet(old);
  take_message(old);
  expect("1 delivered");
  test::Acceptor elsewhere;
  change_hop([&](Hop& hop) {
    hop.next_hop.endpoint.port = elsewhere.port();
    hop.generation = 2;
  });
  start({2});
  EXPECT_EQ(old.line(), "QUIT") << "not over the old connection";
  old.close();
  auto fresh = elsewhere.accept();
  greet(fresh);
  take_message(fresh);
  expect("2 delivered");
}

TEST_F(PoolTest, NeverEndsContentThatCannotBeRead) {
  start({1}, {"A: b\r\n\r\n", "unreadable"});
  auto peer = acceptor.accept();
  greet(peer);
  peer.until("DATA\r\n");
  peer.send("250 ok\r\n250 ok\r\n354 go\r\n");
  EXPECT_EQ(peer.rest(), "A: b\r\n\r\n") << "closed without the final dot";
  expect("1 deferred");
  expect("closed");
  ASSERT_TRUE(reports.last_unreadable);
  EXPECT_EQ(reports.last_unreadable->code, Errc::corrupt);
  for (const auto& line : reports.lines()) EXPECT_THAT(line, ::testing::Not(HasSubstr("hop failed")));
}

TEST_F(PoolTest, BeginsNothingThatCouldNotBeRecorded) {
  change_hop([](Hop& hop) { hop.messages_per_connection = 100; });
  start({1, 2, 3, 4});
  std::vector<test::Peer> peers;
  for (int i = 0; i < 3; ++i) peers.push_back(acceptor.accept());
  reports.spool_works = false;
  for (auto& peer : peers) {
    greet(peer);
    EXPECT_EQ(peer.line(), "QUIT");
  }
  for (const auto* line : {"1 returned", "2 returned", "3 returned", "4 returned"}) expect(line);
}

TEST_F(PoolTest, FinishesAndBeginsNothingOnceStopped) {
  start({1});
  auto peer = acceptor.accept();
  greet(peer);
  peer.until("DATA\r\n");
  net::ask(loop.thread, [this] { pool.stop(); });
  start({2});
  expect("2 returned");
  peer.send("250 ok\r\n250 ok\r\n354 go\r\n");
  peer.until("\r\n.\r\n");
  peer.send("250 queued\r\n");
  expect("1 delivered");
  EXPECT_EQ(peer.line(), "QUIT");
}

TEST_F(PoolTest, GoesOnInPlainTextWhereTlsIsOpportunisticOnlyCase060) {
  const auto break_handshake = [this] {
    auto peer = acceptor.accept();
    peer.send("220 hop\r\n");
    peer.line();
    peer.send("250-hop\r\n250 STARTTLS\r\n");
    EXPECT_EQ(peer.line(), "STARTTLS");
    peer.send("220 go\r\n");
  };
  const auto set = [this](smtp::TlsMode mode) {
    change_hop([mode](Hop& hop) {
      hop.next_hop.policy.tls = mode;
      hop.tls = net::TlsClient::make_without_authorities();
    });
  };
  set(smtp::TlsMode::encrypted);
  start({1});
  break_handshake();
  expect("1 returned");
  EXPECT_THAT(reports.lines().front(), HasSubstr("hop failed: TLS with 127.0.0.1"));
  set(smtp::TlsMode::opportunistic);
  start({2});
  break_handshake();
  auto peer = acceptor.accept();
  greet(peer);
  take_message(peer);
  expect("2 delivered");
}

}  // namespace
}  // namespace relay::delivery
