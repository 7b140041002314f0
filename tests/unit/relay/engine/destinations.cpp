// The engine with several destinations, reports and signatures.

#include "tests/unit/relay/dkim/keys.hpp"
#include "tests/unit/relay/engine/engine_fixture.hpp"

namespace relay::engine {
namespace {

using relay::test::eventually;
using ::testing::HasSubstr;
using ::testing::Not;

class DestinationsTest : public EngineTest {
 protected:
  void SetUp() override {
    EngineTest::SetUp();
    settings.set_routes({test::smarthost("default"), test::smarthost("two", {"two.example"})});
    move_host(second.port(), "smarthost/two");
  }
  QueueId accept_for_both() { return accept({"A: b\r\n\r\n"}, {"c@one.example", "e@two.example"}); }
  void eventually_forgotten(const QueueId& id) {
    eventually([&] { return store->envelope(id).error().code == Errc::not_found; }, "the message's removal");
  }
  void sign_with(std::string_view pem) {
    dkim::Rule rule;
    rule.domain = "example.com";
    rule.selector = "s1";
    rule.key = dkim::test::key(pem);
    settings.change([&](Limits& limits) {
      limits.signing = std::make_shared<const dkim::Rules>(dkim::Rules{rule});
    });
  }
  static std::string signature_in(const std::string& content) {
    return content.substr(0, content.find("Received: "));
  }

  relay::test::Acceptor second;
};

TEST_F(DestinationsTest, AreEachGivenTheirRecipientsOfAMessage) {
  const auto id = accept_for_both();
  auto one = acceptor.accept();
  greet(one);
  auto two = second.accept();
  greet(two);
  EXPECT_EQ(waiting(), 1) << "one message, wherever it waits";
  EXPECT_EQ(engine->depths().size(), 2U);
  one.until("RCPT TO:<c@one.example>\r\nDATA\r\n");
  one.send("250 ok\r\n250 ok\r\n354 go\r\n");
  const auto content = one.until("\r\n.\r\n");
  one.send("250 queued\r\n");
  two.until("RCPT TO:<e@two.example>\r\nDATA\r\n");
  two.send("250 ok\r\n250 ok\r\n354 go\r\n");
  EXPECT_EQ(two.until("\r\n.\r\n"), content);
  two.send("250 queued\r\n");
  expect_count(Counter::messages_delivered, 1);
  EXPECT_EQ(metrics.total(Counter::recipients_delivered), 2U);
  eventually_forgotten(id);
  eventually([this] { return waiting() == 0 && engine->depths().empty(); }, "an empty queue");
}

TEST_F(DestinationsTest, ThatFailKeepNobodyElseWaitingAndNobodyGetsItTwice) {
  second.close();
  const auto id = accept_for_both();
  auto one = acceptor.accept();
  greet(one);
  take(one);
  expect_count(Counter::recipients_delivered, 1);
  eventually([this] { return listed().size() == 1; }, "the other's place");
  end();
  relay::test::Acceptor returned;
  move_host(returned.port(), "smarthost/two");
  begin();
  EXPECT_EQ(waiting(), 1);
  auto two = returned.accept();
  greet(two);
  two.until("RCPT TO:<e@two.example>\r\nDATA\r\n");
  two.send("250 ok\r\n250 ok\r\n354 go\r\n");
  two.until("\r\n.\r\n");
  two.send("250 queued\r\n");
  eventually_forgotten(id);
  EXPECT_EQ(metrics.total(Counter::recipients_delivered), 2U);
  EXPECT_EQ(log.records("delivery").size(), 2U);
}

TEST_F(DestinationsTest, ListADividedMessageOnceForEach) {
  acceptor.close();
  second.close();
  accept_for_both();
  const auto messages = listed();
  ASSERT_EQ(messages.size(), 2U);
  EXPECT_EQ(messages[0]["destination"], "smarthost/default");
  ASSERT_EQ(messages[0]["recipients"].size(), 1U);
  EXPECT_EQ(messages[0]["recipients"][0]["address"], "c@one.example");
  EXPECT_EQ(messages[1]["destination"], "smarthost/two");
  EXPECT_EQ(messages[1]["recipients"][0]["address"], "e@two.example");
}

TEST_F(DestinationsTest, ThatChangeTakeOverWhatWaits) {
  second.close();
  accept({"A: b\r\n\r\n"}, {"e@two.example"});
  eventually(
    [this] { return metrics.total(Counter::delivery_connections_failed) > 0; }, "a refused connection"
  );
  settings.set_routes({test::smarthost("default")});
  engine->reload({});
  auto one = acceptor.accept();
  greet(one);
  take(one);
  expect_count(Counter::messages_delivered, 1);
}

// ---- reports ----

TEST_F(DestinationsTest, SendTheReportOfAFailureToTheSender) {
  sender = "a@two.example";
  const auto id = accept({"Subject: x\r\n\r\n"}, {"c@one.example"});
  auto one = acceptor.accept();
  greet(one);
  one.until("DATA\r\n");
  one.send("250 ok\r\n550 5.1.1 unknown\r\n503 no\r\n");
  auto two = second.accept();
  greet(two);
  const auto envelope = two.until("DATA\r\n");
  EXPECT_THAT(envelope, HasSubstr("MAIL FROM:<>"));
  EXPECT_THAT(envelope, HasSubstr("RCPT TO:<a@two.example>"));
  two.send("250 ok\r\n250 ok\r\n354 go\r\n");
  const auto report = two.until("\r\n.\r\n");
  two.send("250 queued\r\n");
  EXPECT_THAT(report, HasSubstr("550 5.1.1 unknown"));
  EXPECT_THAT(report, HasSubstr("Subject: x"));
  eventually_forgotten(id);
  expect_count(Counter::messages_failed, 1);
  expect_count(Counter::messages_delivered, 1);
  EXPECT_EQ(waiting(), 0);
  EXPECT_EQ(metrics.read(Gauge::failed_messages), 0);
}

TEST_F(DestinationsTest, KeepAReportThatFailsAndReportItToNobodyCase132) {
  accept({"Subject: x\r\n\r\n"}, {"c@one.example"});
  auto one = acceptor.accept();
  greet(one);
  one.until("DATA\r\n");
  one.send("250 ok\r\n550 5.1.1 unknown\r\n503 no\r\n");
  one.until("RSET\r\n");
  one.send("250 ok\r\n");
  one.until("MAIL FROM:<>");
  one.until("DATA\r\n");
  one.send("250 ok\r\n550 5.1.1 unknown\r\n503 no\r\n");
  expect_count(Counter::messages_failed, 2);
  EXPECT_EQ(metrics.total(Counter::reports), 1U);
  eventually([this] { return metrics.read(Gauge::failed_messages) == 1; }, "the dead letter");
  const auto messages = listed();
  ASSERT_EQ(messages.size(), 1U);
  EXPECT_EQ(messages[0]["state"], "failed");
  EXPECT_EQ(messages[0]["sender"], "");
}

TEST_F(DestinationsTest, GiveTheSenderAReportOfWhatIsTooOld) {
  acceptor.close();
  settings.reshape([](queue::Shape& shape) { shape.retry = {100ms, 200ms, 1s}; });
  restart();
  sender = "a@two.example";
  accept({"Subject: x\r\n\r\n"}, {"c@one.example"});
  auto two = second.accept();
  greet(two);
  EXPECT_THAT(take(two), HasSubstr("554 5.4.7"));
  eventually([this] { return waiting() == 0; }, "an empty queue");
  EXPECT_TRUE(listed().empty());
}

// ---- signatures ----

TEST_F(DestinationsTest, AreGivenTheSignatureOfTheFirstAttemptAtEachOther) {
  sign_with(dkim::test::kRfc8463Ed25519);
  accept({"From: a@example.com\r\n\r\n"}, {"c@one.example"});
  auto one = acceptor.accept();
  greet(one);
  const auto first = take(one, "250 ok\r\n", "450 4.2.0 later\r\n");
  EXPECT_THAT(first, ::testing::StartsWith("DKIM-Signature: v=1; a=ed25519-sha256;"));
  eventually([this] { return listed().at(0).at("attempts") == 1; }, "its place in the queue");
  sign_with(dkim::test::kRfc8463Rsa);  // meanwhile the key is another
  EXPECT_EQ(signature_in(take(one)), signature_in(first));
  expect_count(Counter::messages_delivered, 1);
}

TEST_F(DestinationsTest, AreGivenTheSameSignatureBehindARestart) {
  sign_with(dkim::test::kRfc8463Ed25519);
  accept({"From: a@example.com\r\n\r\n"}, {"c@one.example"});
  std::string first;
  {
    auto one = acceptor.accept();
    greet(one);
    first = take(one, "250 ok\r\n", "450 4.2.0 later\r\n");
    eventually([this] { return listed().at(0).at("attempts") == 1; }, "its place in the queue");
    acceptor.close();
    end();
  }
  settings.change([](Limits& limits) { limits.signing = nullptr; });
  relay::test::Acceptor returned;
  move_host(returned.port());
  begin();
  auto one = returned.accept();
  greet(one);
  EXPECT_EQ(signature_in(take(one)), signature_in(first));
  expect_count(Counter::messages_delivered, 1);
}

TEST_F(DestinationsTest, AreGivenNoSignatureWhenNoRuleIsForTheSender) {
  sign_with(dkim::test::kRfc8463Ed25519);
  accept({"From: a@other.example\r\n\r\n"}, {"c@one.example"});
  auto one = acceptor.accept();
  greet(one);
  EXPECT_THAT(take(one), ::testing::StartsWith("Received: "));
  expect_count(Counter::messages_delivered, 1);
}

}  // namespace
}  // namespace relay::engine
