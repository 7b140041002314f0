#include <gmock/gmock.h>

#include "relay/session/serve.hpp"
#include "tests/support/certificates.hpp"
#include "tests/support/folder.hpp"
#include "tests/support/live_session.hpp"
#include "tests/support/secure_peer.hpp"

namespace relay::session {
namespace {

using metrics::Counter;
using test::LiveSession;
using test::Peer;
using test::SecurePeer;
using test::SecureWish;
using ::testing::HasSubstr;
using ::testing::StartsWith;

/// A server whose certificate is for `name`.
std::shared_ptr<net::TlsServer> tls(const std::string& name, net::TlsServer* before = nullptr) {
  const test::Folder folder;
  test::CertificateWish wish;
  wish.name = name;
  const auto certificate = test::make_certificate(wish);
  test::write_text(folder.path("tls.crt"), test::pem(certificate));
  test::write_text(folder.path("tls.key"), test::key_pem(certificate));
  return *net::TlsServer::make({folder.path("tls.crt"), folder.path("tls.key"), {}}, before);
}
Rules with_tls(const std::string& name = "one") {
  auto rules = LiveSession::allowing_loopback();
  rules.tls = tls(name);
  return rules;
}

/// Up to the 220 behind which the handshake begins.
Peer ready(Peer client) {
  client.reply();
  client.send("EHLO app\r\n");
  client.reply();
  client.send("STARTTLS\r\n");
  EXPECT_THAT(client.reply(), StartsWith("220"));
  return client;
}
void send_message(SecurePeer& client, const std::string& content) {
  client.send("EHLO app\r\n");
  client.reply();
  client.send("MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n");
  for (int i = 0; i < 3; ++i) client.reply();
  client.send(content + "\r\n.\r\n");
  EXPECT_THAT(client.reply(), StartsWith("250 2.0.0 OK queued as"));
}

TEST(ServeTls, TakesMailOverBothVersionsAndCountsThem) {
  LiveSession relay(with_tls());
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    SecureWish wish;
    wish.max_version = version;
    SecurePeer client(ready(relay.client()), wish);
    ASSERT_TRUE(client.is_ready());
    send_message(client, "\r\n" + std::string(300'000, 'x'));
    client.send("QUIT\r\n");
    EXPECT_THAT(client.rest(), StartsWith("221"));
    EXPECT_TRUE(client.was_closed_in_order());
    const auto message = relay.messages().back();
    EXPECT_EQ(message.envelope.origin.tls, (mail::TlsUse{client.version(), client.cipher()}));
    EXPECT_EQ(message.content.size(), 300'004U);
  }
  EXPECT_EQ(relay.metrics.total(Counter::client_tls_1_2), 1U);
  EXPECT_EQ(relay.metrics.total(Counter::client_tls_1_3), 1U);
  EXPECT_EQ(relay.metrics.total(Counter::client_tls_failed), 0U);
}

/// Case 15: where TLS cuts the end of data makes no difference.
TEST(ServeTls, FindsTheEndOfDataHoweverRecordsCutItCase015) {
  LiveSession relay(with_tls());
  const std::string end = "\r\n.\r\n";
  for (std::size_t cut = 0; cut <= end.size(); ++cut) {
    SecurePeer client(ready(relay.client()));
    client.send("EHLO app\r\n");
    client.reply();
    client.send("MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n");
    for (int i = 0; i < 3; ++i) client.reply();
    client.send("\r\nbody" + end.substr(0, cut));
    client.send(end.substr(cut) + "QUIT\r\n");
    EXPECT_THAT(client.reply(), StartsWith("250 2.0.0")) << cut;
    EXPECT_THAT(client.reply(), StartsWith("221")) << cut;
    EXPECT_EQ(relay.messages().back().content, "\r\nbody\r\n") << cut;
  }
  EXPECT_EQ(relay.messages().size(), end.size() + 1);
}

TEST(ServeTls, ExecutesNothingThatStandsBehindStartTlsAndSaysSoCase052) {
  LiveSession relay(with_tls());
  auto client = relay.client();
  client.reply();
  client.send("EHLO app\r\n");
  client.reply();
  client.send("STARTTLS\r\nMAIL FROM:<evil@x>\r\n");
  EXPECT_EQ(client.rest(), "554 5.5.0 Nothing may follow STARTTLS, closing\r\n");
  EXPECT_EQ(relay.metrics.total(Counter::client_tls_injection), 1U);
  ASSERT_EQ(relay.log.records("client_tls_injection").size(), 1U);
  EXPECT_EQ(relay.log.first("client_tls_injection").at("client"), "127.0.0.1");
}

/// In a segment of its own it is taken for the client's first word of TLS, which it is not.
TEST(ServeTls, TakesNothingInTheClearForTlsCase052Case057) {
  LiveSession relay(with_tls());
  auto client = ready(relay.client());
  client.send("MAIL FROM:<evil@x>\r\nRCPT TO:<c@d>\r\nDATA\r\nx\r\n.\r\n");
  EXPECT_THAT(client.rest(), testing::Not(HasSubstr("250")));
  EXPECT_TRUE(relay.messages().empty());
  EXPECT_EQ(relay.metrics.total(Counter::client_tls_failed), 1U);
  ASSERT_EQ(relay.log.records("client_tls_failed").size(), 1U);
  const auto record = relay.log.first("client_tls_failed");
  EXPECT_EQ(record.at("client"), "127.0.0.1");
  EXPECT_THAT(record.at("error").get<std::string>(), HasSubstr("TLS handshake: "));
}

TEST(ServeTls, ClosesOnAClientThatStallsInTheHandshakeCase057) {
  auto rules = with_tls();
  rules.limits.idle_timeout = std::chrono::milliseconds{200};
  LiveSession relay(rules);
  auto client = ready(relay.client());
  EXPECT_EQ(client.rest(), "") << "nothing in the clear";
  EXPECT_EQ(relay.metrics.total(Counter::client_tls_failed), 1U);
  EXPECT_THAT(relay.log.first("client_tls_failed").at("error").get<std::string>(), HasSubstr("timed out"));
}

TEST(ServeTls, ShowsTheCertificateOfTheMomentAndDropsNobodyCase067) {
  auto rules = with_tls("one");
  LiveSession relay(rules);
  SecurePeer before(ready(relay.client()));
  auto between = relay.client();  // its session began under the first one
  const auto old = rules.tls;
  rules.tls = tls("two", old.get());
  relay.change(rules);
  SecurePeer after(ready(relay.client()));
  SecurePeer late(ready(std::move(between)));
  EXPECT_EQ(before.seen(), "one");
  EXPECT_EQ(after.seen(), "two");
  EXPECT_EQ(late.seen(), "two");
  for (auto* client : {&before, &after, &late}) send_message(*client, "x");
  EXPECT_EQ(relay.messages().size(), 3U);
  SecureWish wish;
  wish.session = before.session();
  EXPECT_TRUE(SecurePeer(ready(relay.client()), wish).is_resumed());
}

TEST(ServeTls, GoesOnWithItsOwnCertificateWhereThereIsNoneAnyMore) {
  LiveSession relay(with_tls("one"));
  auto begun = relay.client();
  begun.reply();
  relay.change(LiveSession::allowing_loopback());
  begun.send("EHLO app\r\nSTARTTLS\r\n");
  EXPECT_THAT(begun.reply(), StartsWith("250"));
  EXPECT_THAT(begun.reply(), StartsWith("220"));
  EXPECT_EQ(SecurePeer(std::move(begun)).seen(), "one");
  auto fresh = relay.client();
  fresh.reply();
  fresh.send("STARTTLS\r\n");
  EXPECT_THAT(fresh.reply(), StartsWith("502"));
}

TEST(ServeTls, FinishesAHandshakeAndSaysGoodbyeWhenTheRelayStops) {
  LiveSession relay(with_tls());
  auto waiting = ready(relay.client());
  relay.stop();
  SecurePeer client(std::move(waiting));
  ASSERT_TRUE(client.is_ready());
  EXPECT_THAT(client.rest(), StartsWith("421 4.3.2"));
  EXPECT_TRUE(client.was_closed_in_order());
}

TEST(ServeTls, LetsATransactionOverTlsFinishWhenTheRelayStops) {
  LiveSession relay(with_tls());
  SecurePeer client(ready(relay.client()));
  client.send("EHLO app\r\n");
  client.reply();
  client.send("MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n");
  for (int i = 0; i < 3; ++i) client.reply();
  client.send("\r\nhalf ");
  relay.stop();
  client.send("and half\r\n.\r\n");
  EXPECT_THAT(client.reply(), StartsWith("250 2.0.0"));
  EXPECT_THAT(client.rest(), StartsWith("421 4.3.2"));
  EXPECT_EQ(relay.messages().front().content, "\r\nhalf and half\r\n");
}

TEST(ServeTls, TakesNoMailInTheClearWhereItIsRequired) {
  auto rules = with_tls();
  rules.needs_tls = true;
  LiveSession relay(rules);
  auto clear = relay.client();
  clear.reply();
  clear.send("HELO old\r\n");
  clear.reply();
  clear.send("MAIL FROM:<a@b>\r\n");
  EXPECT_THAT(clear.reply(), StartsWith("530 5.7.0"));
  SecurePeer secured(ready(relay.client()));
  send_message(secured, "x");
}

TEST(ServeTls, TakesTheClientFromAProxysHeaderBeforeIt) {
  auto rules = with_tls();
  rules.proxy_trusted = {*Cidr::parse("127.0.0.1/32")};
  rules.access.allowed = {*Cidr::parse("10.1.40.0/24")};
  rules.access.hidden = rules.proxy_trusted;
  LiveSession relay(rules);
  auto client = relay.client();
  client.send("PROXY TCP4 10.1.40.70 10.1.40.60 12345 25\r\nEHLO app\r\nSTARTTLS\r\n");
  for (int i = 0; i < 2; ++i) EXPECT_THAT(client.reply(), StartsWith("2"));
  EXPECT_THAT(client.reply(), StartsWith("220 2.0.0"));
  SecurePeer secured(std::move(client));
  send_message(secured, "x");
  EXPECT_EQ(relay.messages().front().envelope.origin.client, "10.1.40.70");
}

// ---- TLS before the greeting ----

Rules with_tls_first() {
  auto rules = with_tls();
  rules.listener = "submissions";
  rules.tls_first = true;
  return rules;
}

TEST(ServeImplicitTls, TakesMailAndSaysWhereItCameIn) {
  LiveSession relay(with_tls_first());
  SecurePeer client(relay.client());
  ASSERT_TRUE(client.is_ready());
  EXPECT_THAT(client.reply(), StartsWith("220 node1.example"));
  send_message(client, "\r\nbody");
  client.send("QUIT\r\n");
  EXPECT_THAT(client.rest(), StartsWith("221"));
  EXPECT_TRUE(client.was_closed_in_order());
  const auto message = relay.messages().front();
  EXPECT_EQ(message.envelope.origin.listener, "submissions");
  EXPECT_EQ(message.envelope.origin.tls, (mail::TlsUse{client.version(), client.cipher()}));
  EXPECT_EQ(relay.metrics.total(Counter::client_tls_1_3), 1U);
}

TEST(ServeImplicitTls, EndsWithAClientThatSpeaksInTheClearAndTellsWhere) {
  LiveSession relay(with_tls_first());
  auto client = relay.client();
  client.send("EHLO app\r\n");
  EXPECT_THAT(client.rest(), testing::Not(HasSubstr("220")));
  EXPECT_EQ(relay.metrics.total(Counter::client_tls_failed), 1U);
  ASSERT_EQ(relay.log.records("client_tls_failed").size(), 1U);
  EXPECT_EQ(relay.log.first("client_tls_failed").at("listener"), "submissions");
}

TEST(ServeImplicitTls, ClosesOnAClientThatWaitsForAGreetingCase057) {
  auto rules = with_tls_first();
  rules.limits.idle_timeout = std::chrono::milliseconds{200};
  LiveSession relay(rules);
  auto client = relay.client();
  EXPECT_EQ(client.rest(), "") << "nothing in the clear";
  EXPECT_EQ(relay.metrics.total(Counter::client_tls_failed), 1U);
}

/// As load balancers ask whether a port is open, every other second.
TEST(ServeImplicitTls, MakesNothingOfAClientThatConnectsAndLeaves) {
  LiveSession relay(with_tls_first());
  { auto client = relay.client(); }
  test::eventually([&] { return relay.sessions() == 0; }, "the end of the session");
  SecurePeer client(relay.client());
  EXPECT_TRUE(client.is_ready());
  EXPECT_EQ(relay.metrics.total(Counter::client_tls_failed), 0U);
  EXPECT_TRUE(relay.log.records("client_tls_failed").empty());
}

TEST(ServeImplicitTls, TakesNobodyWithoutACertificate) {
  auto rules = with_tls_first();
  rules.tls.reset();
  LiveSession relay(rules);
  EXPECT_EQ(relay.client().rest(), "");
  EXPECT_EQ(relay.metrics.total(Counter::client_tls_failed), 1U);
}

/// What stands behind the header in the same segment is the begin of the handshake.
TEST(ServeImplicitTls, TakesTheClientFromAProxysHeaderBeforeIt) {
  auto rules = with_tls_first();
  rules.proxy_trusted = {*Cidr::parse("127.0.0.1/32")};
  rules.access.allowed = {*Cidr::parse("10.1.40.0/24")};
  rules.access.hidden = rules.proxy_trusted;
  LiveSession relay(rules);
  auto client = relay.client();
  client.send("PROXY TCP4 10.1.40.70 10.1.40.60 12345 465\r\n");
  SecurePeer secured(std::move(client));
  EXPECT_THAT(secured.reply(), StartsWith("220"));
  send_message(secured, "x");
  EXPECT_EQ(relay.messages().front().envelope.origin.client, "10.1.40.70");
}

TEST(ServeImplicitTls, TurnsOneTooManyAwayWithoutAHandshake) {
  auto rules = with_tls_first();
  rules.max_connections_per_client = 1;
  LiveSession relay(rules);
  SecurePeer first(relay.client());
  EXPECT_THAT(first.reply(), StartsWith("220"));
  EXPECT_EQ(relay.client().rest(), "");
  EXPECT_EQ(relay.metrics.total(Counter::client_tls_failed), 0U);
}

TEST(ServeImplicitTls, TellsAClientThatARuleRefusesBehindTheHandshake) {
  auto rules = with_tls_first();
  policy::Rule rule;
  rule.name = "nobody";
  rule.match.clients = {*Cidr::parse("127.0.0.0/8")};
  rule.action = policy::Action::reject;
  rule.reply = mail::Reply{550, mail::EnhancedStatus{5, 7, 1}, "Not here"};
  rules.policies = std::make_shared<const policy::Rules>(policy::Rules{rule});
  LiveSession relay(rules);
  SecurePeer client(relay.client());
  EXPECT_EQ(client.rest(), "554 5.7.1 node1.example Not here\r\n");
}

TEST(ServeImplicitTls, SaysGoodbyeWhenTheRelayStopsInTheHandshake) {
  LiveSession relay(with_tls_first());
  auto waiting = relay.client();
  test::eventually([&] { return relay.sessions() == 1; }, "a session");
  relay.stop();
  SecurePeer client(std::move(waiting));
  EXPECT_TRUE(client.is_ready());
  EXPECT_THAT(client.rest(), HasSubstr("421 4.3.2"));
}

}  // namespace
}  // namespace relay::session
