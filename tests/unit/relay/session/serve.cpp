#include "relay/session/serve.hpp"

#include <atomic>
#include <gmock/gmock.h>
#include <new>
#include <stdexcept>

#include "relay/mail/received.hpp"
#include "tests/support/live_session.hpp"

namespace relay::session {
namespace {

using metrics::Counter;
using test::LiveSession;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr std::string_view kQuickTest =
  "HELO 1\nMAIL FROM: marc@buildinglink.com\nRCPT TO: codemarc@gmail.com\nDATA\nSubject: A Test\n"
  "This is just a test\n.\nQUIT\n";
constexpr std::string_view kQuickContent = "Subject: A Test\r\n\r\nThis is just a test\r\n";

Rules behind_a_proxy() {
  auto rules = LiveSession::allowing_loopback();
  rules.proxy_trusted = {*Cidr::parse("127.0.0.1/32")};
  rules.access.allowed = {*Cidr::parse("10.1.40.0/24")};
  rules.access.hidden = rules.proxy_trusted;
  return rules;
}

TEST(Serve, TheQuickTestFromAClientThatSendsAllAtOnce) {
  LiveSession relay;
  auto client = relay.client();
  client.send(kQuickTest);
  EXPECT_THAT(client.rest(), HasSubstr("250 2.0.0 OK queued as"));
  ASSERT_EQ(relay.messages().size(), 1U);
  EXPECT_EQ(relay.messages().front().content, kQuickContent);
  EXPECT_EQ(relay.messages().front().envelope.origin.client, "127.0.0.1");
}

TEST(Serve, MarksBulkMailByItsHeaderAndKeepsTheMessageId) {
  auto rules = LiveSession::allowing_loopback();
  rules.bulk_headers = {"Precedence: bulk"};
  LiveSession relay(rules);
  auto client = relay.client();
  client.send(
    "HELO 1\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<c@d.test>\r\nDATA\r\nMessage-ID: <x@y>\r\nprecedence: "
    "Bulk\r\n\r\n"
    "body\r\n.\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<c@d.test>\r\nDATA\r\n\r\nPrecedence: bulk\r\n.\r\nQUIT\r\n"
  );
  EXPECT_THAT(client.rest(), HasSubstr("250 2.0.0 OK queued as"));
  ASSERT_EQ(relay.messages().size(), 2U);
  EXPECT_TRUE(relay.messages()[0].envelope.is_bulk);
  EXPECT_EQ(relay.messages()[0].envelope.message_id, "<x@y>");
  EXPECT_FALSE(relay.messages()[1].envelope.is_bulk);
}

TEST(Serve, TheQuickTestFromAClientThatClosesWithoutReadingCase074) {
  LiveSession relay;
  auto client = relay.client();
  client.send(kQuickTest);
  client.close();  // with our banner unread: a reset
  test::eventually([&] { return relay.messages().size() == 1; }, "the message");
  EXPECT_EQ(relay.messages().front().content, kQuickContent);
}

TEST(Serve, TheQuickTestFromAClientThatResetsTheConnectionCase075) {
  LiveSession relay;
  for (int i = 0; i < 20; ++i) {
    auto client = relay.client();
    client.send(kQuickTest);
    client.reset();
  }
  test::eventually([&] { return relay.messages().size() == 20; }, "all messages");
  // Those whose reset came before our answer were not told, and may come again.
  test::eventually([&] { return !relay.log.records("possible_duplicate").empty(); }, "a possible duplicate");
  EXPECT_GE(relay.metrics.total(Counter::possible_duplicates_in), 1U);
}

TEST(Serve, CommitsWhatIsCompleteWhenTheClientHalfClosesCase075) {
  LiveSession relay;
  auto client = relay.client();
  client.send(kQuickTest);
  client.half_close();
  EXPECT_THAT(client.rest(), HasSubstr("221 2.0.0"));
}

TEST(Serve, ForgetsWhatIsNotCompleteCase073) {
  LiveSession relay;
  {
    auto client = relay.client();
    client.send(
      "HELO 1\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n" + std::string(200'000, 'x') + "\r\nand no end"
    );
    client.half_close();
    client.rest();
  }
  test::eventually([&] { return relay.sessions() == 0; });
  EXPECT_TRUE(relay.messages().empty());
}

/// Cases 1 to 14 over a real socket, the end of data cut at every octet (case 15): one message each, and no
/// other recipient than the client named (case 16).
TEST(Serve, NoSmugglingOverARealSocketCase001ToCase016) {
  using namespace std::string_literals;
  LiveSession relay;
  const std::vector<std::string> sequences{"\n.\n",        "\n.\r\n",       "\r\n.\n",      "\r.\r",
                                           "\r.\n",        "\n.\r",         "\r.\r\n",      "\r\n.\rx",
                                           "\r\n.\r\r\n",  "\r\r\n.\r\r\n", "\r\n\0.\r\n"s, "\r\n.\0\r\n"s,
                                           "\r\0\n.\r\n"s, "\r\n.\r\0\n"s};
  std::size_t expected = 0;
  for (const auto& sequence : sequences) {
    for (std::size_t cut = 0; cut <= sequence.size(); ++cut) {
      auto client = relay.client();
      client.reply();
      client.send("EHLO app\r\n");
      client.reply();
      client.send("MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\nbody" + sequence.substr(0, cut));
      for (int i = 0; i < 3; ++i) client.reply();
      client.send(
        sequence.substr(cut) + "MAIL FROM:<evil@x>\r\nRCPT TO:<victim@x>\r\nDATA\r\nsmuggled\r\n.\r\nQUIT\r\n"
      );
      EXPECT_THAT(client.reply(), StartsWith("250 2.0.0"));
      EXPECT_THAT(client.reply(), StartsWith("221"));
      ++expected;
    }
  }
  ASSERT_EQ(relay.messages().size(), expected);
  for (const auto& message : relay.messages()) {
    ASSERT_EQ(message.envelope.recipients.size(), 1U);
    EXPECT_EQ(message.envelope.recipients.front().to_text(), "c@d");
  }
}

TEST(Serve, RefusesStrangersWithTheReason) {
  auto rules = LiveSession::allowing_loopback();
  rules.access.allowed = {*Cidr::parse("10.0.0.0/8")};
  LiveSession relay(rules);
  auto client = relay.client();
  client.reply();
  client.send("EHLO stranger\r\n");
  client.reply();
  client.send("MAIL FROM:<a@b>\r\n");
  EXPECT_THAT(client.reply(), StartsWith("250"));
  client.send("RCPT TO:<c@d>\r\n");
  EXPECT_EQ(client.reply(), "550 5.7.1 Relaying denied: 127.0.0.1 is not in the allowed networks");
  EXPECT_EQ(relay.metrics.total(Counter::recipients_refused_not_listed), 1U);
  ASSERT_EQ(relay.log.records("rejection").size(), 1U);
  EXPECT_EQ(relay.log.first("rejection").at("recipient"), "c@d");
}

TEST(Serve, LogsAddressesBeyondAsciiAsTheyAreCase051) {
  auto rules = LiveSession::allowing_loopback();
  rules.access.allowed = {*Cidr::parse("10.0.0.0/8")};
  LiveSession relay(rules);
  auto client = relay.client();
  client.reply();
  client.send("EHLO stranger\r\n");
  client.reply();
  client.send("MAIL FROM:<\xc3\xbc@b> SMTPUTF8\r\n");
  EXPECT_THAT(client.reply(), StartsWith("250"));
  client.send("RCPT TO:<c@\xc3\xbc.example>\r\n");
  EXPECT_THAT(client.reply(), StartsWith("550 5.7.1"));
  ASSERT_EQ(relay.log.records("rejection").size(), 1U);
  EXPECT_EQ(relay.log.first("rejection").at("sender"), "\xc3\xbc@b");
  EXPECT_EQ(relay.log.first("rejection").at("recipient"), "c@\xc3\xbc.example");
}

TEST(Serve, TellsAHiddenClientThatTheNetworkHidesIt) {
  auto rules = LiveSession::allowing_loopback();
  rules.access.hidden = {*Cidr::parse("127.0.0.1/32")};
  LiveSession relay(rules);
  auto client = relay.client();
  client.send("HELO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nQUIT\r\n");
  // It must not speak first, like a stranger, but is told why it is one.
  EXPECT_THAT(client.rest(), StartsWith("550 5.7.1 Relaying denied: the network hides the client behind"));
  auto patient = relay.client();
  patient.reply();
  patient.send("HELO x\r\n");
  patient.reply();
  patient.send("MAIL FROM:<a@b>\r\n");
  patient.reply();
  patient.send("RCPT TO:<c@d>\r\n");
  EXPECT_THAT(
    patient.reply(), StartsWith("550 5.7.1 Relaying denied: the network hides the client behind 127.0.0.1")
  );
  EXPECT_EQ(relay.metrics.total(Counter::recipients_refused_hidden), 1U);
  patient.send("QUIT\r\n");
  patient.rest();
  test::eventually([&] { return relay.sessions() == 0; }, "the end of both");
  const auto seen = relay.sightings.at(std::chrono::steady_clock::now());
  ASSERT_EQ(seen.hidden.size(), 1U);
  EXPECT_EQ(seen.hidden[0].address.to_text(), "127.0.0.1");
  EXPECT_EQ(seen.hidden[0].refusals, 2U) << "who speaks first is refused for it too";
  EXPECT_EQ(relay.metrics.total(Counter::hidden_clients), 2U);
}

TEST(Serve, TakesAProbeForNoHiddenClient) {
  auto rules = LiveSession::allowing_loopback();
  rules.access.hidden = {*Cidr::parse("127.0.0.1/32")};
  rules.limits.idle_timeout = std::chrono::seconds{2};
  LiveSession relay(rules);
  auto silent = relay.client();
  silent.reply();
  EXPECT_THAT(silent.rest(), StartsWith("421")) << "refused, and not for that";
  auto polite = relay.client();
  polite.reply();
  polite.send("EHLO x\r\n");
  polite.reply();
  polite.send("QUIT\r\n");
  polite.rest();
  test::eventually([&] { return relay.sessions() == 0; }, "the end of both");
  const auto seen = relay.sightings.at(std::chrono::steady_clock::now());
  EXPECT_TRUE(seen.hidden.empty());
  EXPECT_FALSE(seen.has_seen_own_addresses);
  EXPECT_EQ(relay.metrics.total(Counter::hidden_clients), 0U);
}

TEST(Serve, SeesThatAClientBehindAProxyHasAnAddressOfItsOwn) {
  LiveSession relay(behind_a_proxy());
  auto client = relay.client();
  client.send("PROXY TCP4 10.1.40.70 10.1.40.60 12345 25\r\n");
  EXPECT_THAT(client.reply(), StartsWith("220"));
  EXPECT_TRUE(relay.sightings.at(std::chrono::steady_clock::now()).has_seen_own_addresses);
}

TEST(Serve, TakesTheClientFromATrustedProxysHeader) {
  LiveSession relay(behind_a_proxy());
  const std::string v2(
    "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x0a\x01\x28\x46\x0a\x01\x28\x3c\x30\x39\0\x19", 28
  );
  for (const auto& header : {std::string("PROXY TCP4 10.1.40.70 10.1.40.60 12345 25\r\n"), v2}) {
    auto client = relay.client();
    client.send(header + std::string(kQuickTest));
    EXPECT_THAT(client.rest(), HasSubstr("250 2.0.0 OK queued"));
    EXPECT_EQ(relay.messages().back().envelope.origin.client, "10.1.40.70");
  }
}

/// As decision 0102 has it: the load balancer's word counts as TLS of the client, and no other does.
TEST(Serve, TakesTlsThatATrustedProxyHasEndedForTlsOfTheClient) {
  using namespace std::string_literals;
  auto rules = behind_a_proxy();
  rules.needs_tls = true;
  rules.wants_users = true;
  LiveSession relay(rules);
  const auto begin = "\r\n\r\n\0\r\nQUIT\n\x21\x11"s;
  const auto addresses = "\x0a\x01\x28\x46\x0a\x01\x28\x3c\x30\x39\0\x19"s;
  const auto tls =
    "\x20\0\x28\x01\0\0\0\0"
    "\x21\0\x07TLSv1.3"
    "\x23\0\x16TLS_AES_256_GCM_SHA384"s;
  const auto header = [&](const std::string& fields) {
    return begin + '\0' + static_cast<char>(addresses.size() + fields.size()) + addresses + fields;
  };
  auto client = relay.client();
  client.send(header(tls));
  EXPECT_THAT(client.reply(), StartsWith("220"));
  client.send("EHLO app\r\n");
  const auto offered = client.until("250 AUTH SCRAM-SHA-256 ");
  EXPECT_THAT(offered, Not(HasSubstr("STARTTLS")));
  EXPECT_THAT(offered, Not(HasSubstr("REQUIRETLS"))) << "a part of the way is in the clear";
  client.line();
  client.send("MAIL FROM:<a@b.test>\r\nRCPT TO:<c@d.test>\r\nBDAT 3 LAST\r\nx\r\nQUIT\r\n");
  EXPECT_THAT(client.rest(), HasSubstr("250 2.0.0 OK queued"));
  const auto messages = relay.messages();
  ASSERT_EQ(messages.size(), 1U);
  const auto& envelope = messages.front().envelope;
  EXPECT_EQ(envelope.origin.client, "10.1.40.70");
  EXPECT_EQ(envelope.origin.tls, (mail::TlsUse{"TLSv1.3", "TLS_AES_256_GCM_SHA384"}));
  const auto received = mail::received_line(envelope, QueueId{1, 1}, "node1.example", mail::ClientShown::yes);
  EXPECT_THAT(received, HasSubstr("(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384)"));
  EXPECT_THAT(received, HasSubstr("with ESMTPS id "));

  auto in_the_clear = relay.client();
  in_the_clear.send(header({}));
  in_the_clear.reply();
  in_the_clear.send("EHLO app\r\nMAIL FROM:<a@b.test>\r\nQUIT\r\n");
  const auto said = in_the_clear.rest();
  EXPECT_THAT(said, Not(HasSubstr("AUTH")));
  EXPECT_THAT(said, HasSubstr("530 5.7.0"));
}

TEST(Serve, JudgesTheClientBehindTheProxyNotTheProxy) {
  LiveSession relay(behind_a_proxy());
  auto stranger = relay.client();
  stranger.send("PROXY TCP4 203.0.113.9 10.1.40.60 12345 25\r\n");
  stranger.reply();
  stranger.send("EHLO x\r\n");
  stranger.reply();
  stranger.send("MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\n");
  stranger.reply();
  EXPECT_THAT(stranger.reply(), HasSubstr("203.0.113.9 is not in the allowed networks"));
  auto own = relay.client();  // LOCAL: the balancer itself, which may not relay
  own.send(std::string("\r\n\r\n\0\r\nQUIT\n\x20\0\0\0", 16));
  own.reply();
  own.send("EHLO x\r\n");
  own.reply();
  own.send("MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\n");
  own.reply();
  EXPECT_THAT(own.reply(), StartsWith("550 5.7.1"));
}

TEST(Serve, ClosesOnATrustedProxyThatSendsNoHeaderCase070) {
  LiveSession relay(behind_a_proxy());
  for (const std::string first : {"EHLO a\r\n", "PROXY TCP4 nonsense\r\n"}) {
    auto client = relay.client();
    client.send(first);
    EXPECT_EQ(client.rest(), "550 5.7.1 This peer must send a PROXY protocol header\r\n");
  }
  EXPECT_EQ(relay.metrics.total(Counter::connections_refused_proxy_header), 2U);
  EXPECT_EQ(relay.log.records("proxy_header_refused").size(), 2U);
}

TEST(Serve, RefusesAProxyHeaderFromAnyoneElseCase070) {
  LiveSession relay;
  auto client = relay.client();
  client.send("PROXY TCP4 10.1.40.70 10.1.40.60 12345 25\r\n");
  EXPECT_THAT(client.rest(), HasSubstr("550 5.7.1"));
}

TEST(Serve, TurnsAClientAwayThatHasTooManyConnectionsCase111) {
  auto rules = LiveSession::allowing_loopback();
  rules.max_connections_per_client = 2;
  LiveSession relay(rules);
  auto first = relay.client();
  auto second = relay.client();
  first.reply();
  second.reply();
  auto third = relay.client();
  EXPECT_EQ(
    third.rest(), "421 4.7.0 node1.example Too many connections from 127.0.0.1, close some of them first\r\n"
  );
  EXPECT_EQ(relay.metrics.total(Counter::connections_refused_of_one_client), 1U);
  for (int i = 0; i < 3; ++i) EXPECT_THAT(relay.client().reply(), StartsWith("421 4.7.0"));
  EXPECT_EQ(relay.metrics.total(Counter::connections_refused_of_one_client), 4U) << "each is counted";
  ASSERT_EQ(relay.log.records("connection_refused").size(), 1U) << "and not each is worth a record";
  EXPECT_EQ(relay.log.first("connection_refused").at("client"), "127.0.0.1");
  first.send("QUIT\r\n");
  first.rest();
  test::eventually([&] { return relay.client().reply().starts_with("220"); }, "a place that is free again");
}

/// They go on for as long as they please to read.
TEST(Serve, HasNoSessionForAClientThatItTurnsAwayCase111) {
  auto rules = LiveSession::allowing_loopback();
  rules.max_connections_per_client = 1;
  LiveSession relay(rules);
  auto first = relay.client();
  first.reply();
  std::vector<test::Peer> refused;
  for (int i = 0; i < 5; ++i) {
    refused.push_back(relay.client());
    EXPECT_THAT(refused.back().reply(), StartsWith("421 4.7.0"));
    EXPECT_EQ(relay.sessions(), 1U) << "the first alone";
  }
}

TEST(Serve, CountsNotWhatHidesSeveralClientsCase111) {
  auto rules = LiveSession::allowing_loopback();
  rules.max_connections_per_client = 1;
  rules.access.allowed = {*Cidr::parse("127.0.0.1/32")};
  rules.access.hidden = {*Cidr::parse("127.0.0.1/32")};
  LiveSession relay(rules);
  auto first = relay.client();
  auto second = relay.client();
  EXPECT_THAT(first.reply(), StartsWith("220"));
  EXPECT_THAT(second.reply(), StartsWith("220"));
  EXPECT_EQ(relay.clients.clients(), 0U);
}

TEST(Serve, CountsClientsBehindAProxyByTheirOwnAddressesCase111) {
  auto rules = behind_a_proxy();
  rules.max_connections_per_client = 1;
  LiveSession relay(rules);
  std::vector<test::Peer> clients;
  for (const std::string address : {"10.1.40.70", "10.1.40.71", "10.1.40.70"}) {
    clients.push_back(relay.client());
    clients.back().send("PROXY TCP4 " + address + " 10.1.40.60 12345 25\r\n");
    const bool is_first_of_its_client = clients.size() < 3;
    EXPECT_THAT(clients.back().reply(), StartsWith(is_first_of_its_client ? "220" : "421 4.7.0")) << address;
  }
}

TEST(Serve, TellsOfEachSessionWhereTheLogWantsItSo) {
  auto rules = LiveSession::allowing_loopback();
  rules.logs_sessions = true;
  LiveSession relay(rules);
  auto client = relay.client();
  client.send("NONSENSE\r\nQUIT\r\n");
  client.rest();
  test::eventually([&] { return relay.log.records("session").size() == 1; }, "the record");
  EXPECT_EQ(relay.log.first("session").at("client"), "127.0.0.1");
  EXPECT_EQ(relay.log.first("session").at("refusals"), 1);
}

TEST(Serve, AnswersTheGatesRefusalToMail) {
  LiveSession relay;
  relay.refusal =
    mail::Reply{452, mail::EnhancedStatus{4, 3, 1}, "Insufficient system storage, try again later"};
  auto client = relay.client();
  client.send("HELO x\r\nMAIL FROM:<a@b>\r\nQUIT\r\n");
  EXPECT_THAT(client.rest(), HasSubstr("452 4.3.1 Insufficient system storage"));
}

TEST(Serve, OutlivesASinkThatThrowsCase113) {
  for (const std::string_view where : {"append", "commit"}) {
    LiveSession relay;
    std::atomic<bool> has_memory = false;
    relay.before_storing = [&](std::string_view step) {
      if (step == where && !has_memory) throw std::bad_alloc();
    };
    auto client = relay.client();
    client.send("HELO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n");
    for (int i = 0; i < 5; ++i) client.reply();
    client.send(std::string(100'000, 'x') + "\r\n.\r\n");
    EXPECT_EQ(client.rest(), "421 4.3.0 node1.example Internal error, try again later\r\n") << where;
    EXPECT_TRUE(relay.messages().empty()) << "nobody was told 250";
    ASSERT_EQ(relay.log.records("exception").size(), 1U);
    EXPECT_EQ(relay.log.first("exception").at("in"), "session");
    EXPECT_EQ(relay.log.first("exception").at("client"), "127.0.0.1");
    EXPECT_EQ(relay.log.first("exception").at("error"), "std::bad_alloc");
    has_memory = true;
    auto again = relay.client();
    again.send(kQuickTest);
    EXPECT_THAT(again.rest(), HasSubstr("250 2.0.0 OK queued as"));
    EXPECT_EQ(relay.messages().size(), 1U);
    EXPECT_TRUE(relay.log.records("possible_duplicate").empty());
  }
}

/// Else its client would send it again.
TEST(Serve, TellsOfAMessageThatIsStoredBeforeAnotherOneThrowsCase113) {
  LiveSession relay;
  relay.before_storing = [&](std::string_view) {
    if (!relay.messages().empty()) throw std::runtime_error("broken");
  };
  auto client = relay.client();
  client.reply();
  const std::string message = "MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nBDAT 3 LAST\r\nx\r\n";
  client.send("EHLO x\r\n" + message + message);
  client.reply();
  for (const auto* const answer : {"250 2.1.0", "250 2.1.5", "250 2.0.0 OK queued", "250 2.1.0", "250 2.1.5"})
    EXPECT_THAT(client.reply(), StartsWith(answer));
  EXPECT_THAT(client.rest(), StartsWith("421 4.3.0"));
  EXPECT_EQ(relay.messages().size(), 1U);
  EXPECT_TRUE(relay.log.records("possible_duplicate").empty()) << "it was told";
}

TEST(Serve, LetsTransactionsFinishWhenItStops) {
  LiveSession relay;
  auto idle = relay.client();
  idle.reply();
  auto busy = relay.client();
  busy.reply();
  busy.send("HELO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\nhalf");
  for (int i = 0; i < 4; ++i) busy.reply();
  relay.stop();
  EXPECT_THAT(idle.rest(), StartsWith("421 4.3.2"));
  busy.send(" and the rest\r\n.\r\n");
  EXPECT_THAT(busy.reply(), StartsWith("250 2.0.0"));
  EXPECT_THAT(busy.rest(), StartsWith("421 4.3.2"));
  EXPECT_EQ(relay.messages().size(), 1U);
}

}  // namespace
}  // namespace relay::session
