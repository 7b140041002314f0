#include "relay/delivery/pool.hpp"

#include <openssl/ssl.h>

#include "tests/support/certificates.hpp"
#include "tests/unit/relay/delivery/pool_fixture.hpp"

namespace relay::delivery {
namespace {

/// Sends an octet every 20 ms; false when the other side does not close within ten seconds.
bool drip_until_closed(test::Peer& peer) {
  const auto until = std::chrono::steady_clock::now() + 10s;
  pollfd closed{peer.fd(), POLLIN, 0};
  while (poll(&closed, 1, 20) == 0) {
    if (std::chrono::steady_clock::now() > until) return false;
    peer.send("x");
  }
  return true;
}

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

TEST_F(PoolTest, SendsNothingThatIsNotWantedAnyMoreWhenAConnectionIsThere) {
  reports.unwanted = {1, 2};
  start({1, 2, 3});
  auto peer = acceptor.accept();
  greet(peer);
  take_message(peer);
  expect("3 delivered");
  EXPECT_TRUE(reports.has("1 taken back"));
  EXPECT_TRUE(reports.has("2 taken back"));
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

TEST_F(PoolTest, TakesARefusalForFinalThoughTheHopWentAwayInTheMiddleOfContentCase125) {
  refuse_in_the_middle(std::vector<std::string>(1000, std::string(32'000, 'x')));
}

TEST_F(PoolTest, TakesARefusalForFinalThoughTheHopWentAwayInTheLastOfTheContentCase125) {
  refuse_in_the_middle({std::string(32'000'000, 'x')});
}

TEST_F(PoolTest, WaitsNoLongerForAReplyBecauseItDripsInCase123) {
  change([](Route& route) { route.hosts[0].next_hop.policy.timeouts.command = 300ms; });
  start({1});
  auto peer = acceptor.accept();
  greet(peer);
  peer.until("DATA\r\n");
  peer.send("250-");
  EXPECT_TRUE(drip_until_closed(peer));
  expect("1 deferred");
  expect("closed");
}

TEST_F(PoolTest, TriesSomeAddressesOfAHostThatHasManyDeadOnes) {
  addresses.clear();
  for (int i = 0; i < 100; ++i) addresses.push_back(*IpAddress::parse("127.0.1." + std::to_string(i + 1)));
  start({1});
  expect("1 returned");
  EXPECT_THAT(reports.lines().front(), HasSubstr("hop failed: connect to 127.0.1.4:"));
  addresses.push_back(*IpAddress::parse("::1"));
  start({2});
  expect("2 returned");
  EXPECT_THAT(reports.lines().at(2), HasSubstr("hop failed: connect to [::1]:"))
    << "of the other family as well";
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
  change([](Route& route) { route.idle_time = 100ms; });
  start({1});
  auto peer = acceptor.accept();
  greet(peer);
  take_message(peer);
  EXPECT_EQ(peer.line(), "QUIT");
  peer.send("221 bye\r\n");
  expect("closed");
}

TEST_F(PoolTest, SendsNoMoreOverAConnectionThanItShould) {
  change([](Route& route) { route.hosts[0].messages_per_connection = 1; });
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
  change([&](Route& route) {
    route.hosts[0].next_hop.endpoint.port = elsewhere.port();
    route.generation = 2;
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
  std::vector<Job> jobs;
  jobs.push_back(job(1, {"c@d"}, {"A: b\r\n\r\n", "x\r\n", "unreadable"}));
  start(std::move(jobs));
  auto peer = acceptor.accept();
  greet(peer);
  peer.until("DATA\r\n");
  peer.send("250 ok\r\n250 ok\r\n354 go\r\n");
  EXPECT_EQ(peer.rest(), "A: b\r\n\r\n")
    << "closed without the final dot; a piece is sent when the next one is there";
  expect("1 deferred");
  expect("closed");
  ASSERT_TRUE(reports.last_unreadable);
  EXPECT_EQ(reports.last_unreadable->code, Errc::corrupt);
  for (const auto& line : reports.lines()) EXPECT_THAT(line, ::testing::Not(HasSubstr("hop failed")));
}

TEST_F(PoolTest, BeginsNothingThatCouldNotBeRecorded) {
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

TEST_F(PoolTest, TellsWhatTlsDoesNotProveWhereItIsTestedCase130) {
  tls_is_tested = true;
  change([](Route& route) {
    route.hosts[0].next_hop.policy.tls = smtp::TlsMode::opportunistic;
    route.hosts[0].tls = net::TlsClient::make_without_authorities();
    route.idle_time = 0ms;
  });
  start({1});
  {
    auto peer = acceptor.accept();
    greet(peer);
    take_message(peer);
    expect("1 delivered");
    EXPECT_EQ(tls_tries(), std::vector<std::string>{"starttls-not-supported"});
  }
  expect("closed");
  start({2});
  const auto peer_with_tls = [this] {
    auto peer = acceptor.accept();
    peer.send("220 hop\r\n");
    peer.line();
    peer.send("250-hop\r\n250 STARTTLS\r\n");
    EXPECT_EQ(peer.line(), "STARTTLS");
    peer.send("220 go\r\n");
    return peer;
  };
  const auto peer = peer_with_tls();
  const auto certificate = test::make_certificate({});
  const std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context(
    SSL_CTX_new(TLS_server_method()), SSL_CTX_free
  );
  SSL_CTX_use_certificate(context.get(), certificate.x509.get());
  SSL_CTX_use_PrivateKey(context.get(), certificate.key.get());
  const std::unique_ptr<SSL, decltype(&SSL_free)> tls(SSL_new(context.get()), SSL_free);
  SSL_set_fd(tls.get(), peer.fd());
  EXPECT_EQ(SSL_accept(tls.get()), 1) << "it goes on";
  test::eventually([this] { return tls_tries().size() == 2; }, "the second try");
  EXPECT_EQ(tls_tries().back(), "certificate-not-trusted");
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
    change([mode](Route& route) {
      route.hosts[0].next_hop.policy.tls = mode;
      route.hosts[0].tls = net::TlsClient::make_without_authorities();
    });
  };
  set(smtp::TlsMode::encrypted);
  start({1});
  break_handshake();
  expect("1 returned");
  EXPECT_THAT(reports.lines().front(), HasSubstr("hop failed: TLS with hop0"));
  set(smtp::TlsMode::opportunistic);
  start({2});
  break_handshake();
  auto peer = acceptor.accept();
  greet(peer);
  take_message(peer);
  expect("2 delivered");
  expect("host failed: hop0:" + std::to_string(acceptor.port()) + ": starting TLS");
}

}  // namespace
}  // namespace relay::delivery
