// A destination with several hosts.

#include "tests/unit/relay/delivery/pool_fixture.hpp"

namespace relay::delivery {
namespace {

class HostsTest : public PoolTest {
 protected:
  void SetUp() override {
    PoolTest::SetUp();
    change([this](Route& route) { route.hosts.push_back(host(second.port())); });
  }
  void start_one(std::uint64_t id, const std::vector<std::string>& recipients) {
    std::vector<Job> jobs;
    jobs.push_back(job(id, recipients));
    start(std::move(jobs));
  }
  /// Whom a host is asked about.
  static std::string offered(test::Peer& peer) { return peer.until("DATA\r\n"); }
  std::size_t count(const std::string& line) {
    const auto lines = reports.lines();
    return static_cast<std::size_t>(std::count(lines.begin(), lines.end(), line));
  }

  test::Acceptor second;
};

TEST_F(HostsTest, AsksTheNextOneAboutRecipientsThatTheFirstDefersCase128) {
  start_one(1, {"got@d", "later@d", "never@d"});
  auto first = acceptor.accept();
  greet(first);
  take_message(first, "250 ok\r\n450 4.2.0 later\r\n550 5.1.1 no\r\n");
  auto next = second.accept();
  greet(next);
  const auto asked = offered(next);
  EXPECT_THAT(asked, HasSubstr("later@d"));
  EXPECT_THAT(asked, ::testing::Not(HasSubstr("got@d")));
  EXPECT_THAT(asked, ::testing::Not(HasSubstr("never@d")));
  next.send("250 ok\r\n250 ok\r\n354 go\r\n");
  EXPECT_EQ(next.until("\r\n.\r\n"), "A: b\r\n\r\n..x\r\n.\r\n") << "the whole content once more";
  next.send("250 queued\r\n");
  expect("1 delivered delivered failed");
  EXPECT_EQ(reports.last_peer.name, "hop1:" + std::to_string(second.port()));
  EXPECT_EQ(next.line(), "QUIT") << "it was for this message alone";
}

/// A host may greet, let in and refuse all the same: what counts is that it judges a message.
TEST_F(HostsTest, TellsWhichOfThemTakesOurCredentials) {
  start({1});
  auto first = acceptor.accept();
  greet(first);
  offered(first);
  first.send("530 5.7.0 Authentication required\r\n503 no\r\n503 no\r\n");
  using Told = std::vector<std::string>;
  EXPECT_TRUE(test::eventually([this] { return credentials() == Told{"refused by hop0"}; }))
    << ::testing::PrintToString(credentials());
  start({2});
  auto again = acceptor.accept();
  greet(again);
  take_message(again);
  start({3});
  take_message(again);
  expect("3 delivered");
  EXPECT_EQ(credentials(), (Told{"refused by hop0", "accepted by hop0"})) << "once for a connection";
}

TEST_F(HostsTest, TakesTheAnswerOfTheLastWhenAllDeferCase128) {
  start_one(1, {"c@d"});
  auto first = acceptor.accept();
  greet(first);
  offered(first);
  first.send("250 ok\r\n450 4.2.0 first\r\n503 no\r\n");
  auto next = second.accept();
  greet(next);
  offered(next);
  next.send("250 ok\r\n450 4.2.0 second\r\n503 no\r\n");
  expect("1 deferred");
  EXPECT_EQ(reports.last_outcome.recipients.front().reply.text, "second");
}

TEST_F(HostsTest, TakesARefusalForFinalCase128) {
  start_one(1, {"c@d"});
  auto first = acceptor.accept();
  greet(first);
  offered(first);
  first.send("250 ok\r\n550 5.1.1 no\r\n503 no\r\n");
  expect("1 failed");
  EXPECT_EQ(count("ready"), 1U);
}

TEST_F(HostsTest, AsksNoOtherBehindALostEndOfDataCase119) {
  start_one(1, {"c@d"});
  auto first = acceptor.accept();
  greet(first);
  offered(first);
  first.send("250 ok\r\n250 ok\r\n354 go\r\n");
  first.until("\r\n.\r\n");
  first.reset();
  expect("1 deferred");
  EXPECT_TRUE(reports.last_outcome.may_be_duplicated);
  expect("closed");
  EXPECT_EQ(count("ready"), 1U);
}

TEST_F(HostsTest, AsksTheNextWhenTheFirstIsLostBeforeTheEndOfDataWasSent) {
  std::vector<Job> jobs;
  jobs.push_back(job(1, {"c@d"}, {std::string(32'000'000, 'x')}));
  start(std::move(jobs));
  auto first = acceptor.accept();
  greet(first);
  offered(first);
  first.send("250 ok\r\n250 ok\r\n354 go\r\n");
  first.until("xxx");
  first.reset();
  auto next = second.accept();
  greet(next);
  EXPECT_THAT(offered(next), HasSubstr("c@d"));
  next.send("250 ok\r\n550 5.1.1 no\r\n503 no\r\n");
  expect("1 failed");
  EXPECT_FALSE(reports.last_outcome.may_be_duplicated);
}

TEST_F(HostsTest, KeepsWhatTheFirstSaidWhenTheSecondCannotBeReached) {
  second.close();
  start_one(1, {"got@d", "later@d"});
  auto first = acceptor.accept();
  greet(first);
  take_message(first, "250 ok\r\n450 4.2.0 later\r\n");
  expect("1 delivered deferred");
  EXPECT_EQ(reports.last_outcome.recipients[1].reply.text, "later");
  for (const auto& line : reports.lines())
    EXPECT_THAT(line, ::testing::Not(HasSubstr("hop failed"))) << "the destination takes mail";
}

TEST_F(HostsTest, FailsNothingForWantOfRequireTlsBeforeTheNextWasAsked) {
  const auto demanding = [](std::uint64_t id) {
    std::vector<Job> jobs;
    jobs.push_back(job(id));
    jobs.back().message.requires_tls = true;
    return jobs;
  };
  start(demanding(1));
  auto first = acceptor.accept();
  greet(first);
  auto next = second.accept();
  greet(next);
  expect("1 failed");
  EXPECT_EQ(reports.last_outcome.recipients[0].reply.code, 550) << "neither of them can";
  second.close();
  start(demanding(2));
  expect("2 deferred");
  EXPECT_EQ(reports.last_outcome.recipients[0].reply.code, 450);
}

/// More than are asked to take a message in one attempt.
TEST_F(HostsTest, FailsNothingForWantOfRequireTlsBeforeAllWereLookedAt) {
  test::Acceptor third;
  test::Acceptor fourth;
  change([&](Route& route) {
    route.hosts.push_back(host(third.port()));
    route.hosts.push_back(host(fourth.port()));
  });
  std::vector<Job> jobs;
  jobs.push_back(job(1));
  jobs.back().message.requires_tls = true;
  start(std::move(jobs));
  std::vector<test::Peer> peers;
  for (auto* next : {&acceptor, &second, &third, &fourth}) {
    EXPECT_FALSE(reports.has("1 failed"));
    peers.push_back(next->accept());
    greet(peers.back());
  }
  expect("1 failed");
}

TEST_F(HostsTest, GoesToTheSecondWhenTheFirstCannotBeConnectedAndAvoidsItForAWhileCase128) {
  const auto port = acceptor.port();
  acceptor.close();
  change([](Route& route) { route.idle_time = 100ms; });
  start({1});
  {
    auto peer = second.accept();
    greet(peer);
    take_message(peer);
    expect("1 delivered");
    EXPECT_EQ(peer.line(), "QUIT");
  }
  expect("closed");
  start({2});
  auto peer = second.accept();
  greet(peer);
  take_message(peer);
  expect("2 delivered");
  EXPECT_EQ(count("host failed: hop0:" + std::to_string(port) + ": connecting"), 1U) << "not asked again";
  for (const auto& line : reports.lines()) EXPECT_THAT(line, ::testing::Not(HasSubstr("hop failed")));
}

TEST_F(HostsTest, AreAllTriedBeforeTheHopHasFailed) {
  acceptor.close();
  second.close();
  start({1});
  expect("1 returned");
  const auto lines = reports.lines();
  EXPECT_THAT(lines[0], ::testing::StartsWith("host failed: hop0"));
  EXPECT_THAT(lines[1], ::testing::StartsWith("host failed: hop1"));
  EXPECT_THAT(lines[2], ::testing::StartsWith("hop failed: connect to 127.0.0.1"));
}

TEST_F(HostsTest, ThatAreAvoidedAreTriedWhenThereIsNoOther) {
  acceptor.close();
  second.close();
  start({1});
  expect("1 returned");
  test::Acceptor returned;
  change([&](Route& route) {
    route.hosts[0].next_hop.endpoint.port = returned.port();
    route.generation = 2;
  });
  start({2});
  auto peer = returned.accept();
  greet(peer);
  take_message(peer);
  expect("2 delivered");
}

TEST_F(HostsTest, SendSeveralDeferredMessagesOverOneConnectionToTheNext) {
  start({1, 2, 3});
  std::vector<test::Peer> firsts;
  for (int i = 0; i < 3; ++i) firsts.push_back(acceptor.accept());
  for (auto& peer : firsts) greet(peer);
  for (auto& peer : firsts) {
    offered(peer);
    peer.send("250 ok\r\n450 4.2.0 later\r\n503 no\r\n");
  }
  auto next = second.accept();
  greet(next);
  take_message(next);
  for (int more = 0; more < 2; ++more) {
    if (reports.has("1 delivered") && reports.has("2 delivered") && reports.has("3 delivered")) break;
    take_message(next);
  }
  for (const auto* line : {"1 delivered", "2 delivered", "3 delivered"}) expect(line);
}

TEST_F(HostsTest, ThatTakeNoMailForGoodJudgeEveryJobThatWaitsOnceAllSaySo) {
  const NoRoute refusal{
    {Errc::invalid_argument, Fate::permanent, "null MX"},
    mail::Reply{556, mail::EnhancedStatus{5, 1, 10}, "no"}
  };
  verdicts = {{"hop0", refusal}, {"hop1", refusal}};
  start({1, 2});
  expect("1 failed");
  expect("2 failed");
  EXPECT_EQ(reports.last_outcome.recipients.front().reply.code, 556);
}

TEST_F(HostsTest, JudgeNothingWhileOneOfThemHasNoVerdict) {
  const NoRoute refusal{
    {Errc::invalid_argument, Fate::permanent, "forbidden"},
    mail::Reply{550, mail::EnhancedStatus{5, 7, 1}, "no"}
  };
  verdicts = {{"hop0", refusal}};
  second.close();
  start({1});
  expect("1 returned");
}

TEST_F(HostsTest, AreNotNeededForAVerdictOnTheDestination) {
  no_route = NoRoute{
    {Errc::invalid_argument, Fate::permanent, "no such domain"},
    mail::Reply{550, mail::EnhancedStatus{5, 1, 2}, "no such domain"}
  };
  start({1, 2, 3, 4});
  for (const auto* line : {"1 failed", "2 failed", "3 failed", "4 failed"}) expect(line);
}

TEST_F(HostsTest, ThatAreNotKnownAtPresentKeepTheMailWaiting) {
  no_route = NoRoute{{Errc::unavailable, Fate::transient, "SERVFAIL"}, std::nullopt};
  start({1});
  expect("1 returned");
  EXPECT_EQ(reports.lines().front(), "hop failed: SERVFAIL");
}

TEST_F(HostsTest, GiveAJobBackWhoseSourceMaySendNoMoreToday) {
  sends_left = 1;
  start({1});
  auto peer = acceptor.accept();
  greet(peer);
  take_message(peer);
  expect("1 delivered");
  net::ask(loop.thread, [this] {
    std::vector<Job> jobs;
    jobs.push_back(job(2));
    pool.start(std::move(jobs), 1);
  });
  EXPECT_EQ(peer.line(), "QUIT") << "by another source, over another connection";
  sends_left = 10;
  peer.send("221 bye\r\n");
  auto other = acceptor.accept();
  greet(other);
  take_message(other);
  expect("2 delivered");
}

TEST_F(HostsTest, KeepTheirAnswersWhenThePoolIsStopped) {
  start_one(1, {"got@d", "later@d"});
  auto first = acceptor.accept();
  greet(first);
  take_message(first, "250 ok\r\n450 4.2.0 later\r\n");
  auto next = second.accept();  // not greeted
  net::ask(loop.thread, [this] { pool.stop(); });
  expect("1 delivered deferred");
}

}  // namespace
}  // namespace relay::delivery
