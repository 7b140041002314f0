// The mode of the relay: what leaves, what is kept in, and what a person lets out all the same.

#include <set>

#include "tests/unit/relay/engine/engine_fixture.hpp"
#include "tests/unit/relay/engine/spool_fixture.hpp"

namespace relay::engine {
namespace {

using relay::test::address;
using relay::test::eventually;
using ::testing::HasSubstr;
using ::testing::StartsWith;

policy::Guard guard(policy::Mode mode) {
  policy::Guard guard;
  guard.mode = mode;
  guard.redirect_to = address("test@qa.test");
  guard.allowed = {"qa.test"};
  return guard;
}

class ModeTest : public EngineTest {
 protected:
  void set_mode(policy::Mode mode) {
    settings.change([&](Limits& limits) { limits.guard = guard(mode); });
  }
  Changed release(const Selection& selection) {
    Change asked;
    asked.action = QueueAction::release;
    asked.selection = selection;
    std::promise<Changed> promise;
    engine->control().change(asked, [&](const Result<Changed>& changed) { promise.set_value(*changed); });
    return promise.get_future().get();
  }
  static Selection captured() {
    Selection selection;
    selection.state = "captured";
    return selection;
  }
  void eventually_captured(std::size_t count) {
    eventually(
      [&] { return list_queue(*store, captured(), "", 100)->at("messages").size() == count; }, "the captures"
    );
  }
};

// ---- at reception ----

TEST_F(ModeTest, CapturesWhatComesInAndLetsOutWhatAPersonReleases) {
  set_mode(policy::Mode::capture);
  const auto id = accept({"A: b\r\n\r\nx\r\n"}, {"c@d", "e@f"});
  ASSERT_EQ(listed().size(), 1U);
  EXPECT_EQ(listed()[0]["state"], "held");
  EXPECT_EQ(listed()[0]["captured"], true);
  EXPECT_THAT(listed()[0]["last"].get<std::string>(), StartsWith("captured: mode capture"));
  EXPECT_EQ(waiting(), 1);
  expect_count(Counter::recipients_captured, 2);
  EXPECT_EQ(log.first("reception").at("mode"), "capture");
  restart();
  EXPECT_EQ(listed()[0]["captured"], true);
  EXPECT_EQ(release(captured()).changed, 1U);
  auto peer = acceptor.accept();
  greet(peer);
  EXPECT_THAT(take(peer, "250 ok\r\n250 ok\r\n"), HasSubstr("A: b\r\n\r\nx\r\n"));
  eventually([&] { return waiting() == 0; }, "its end");
  EXPECT_FALSE(store->envelope(id));
}

TEST_F(ModeTest, LetsOutWhatWasReleasedAlsoBehindADeferral) {
  set_mode(policy::Mode::capture);
  accept();
  EXPECT_EQ(release({}).changed, 1U);
  auto peer = acceptor.accept();
  greet(peer);
  peer.until("DATA\r\n");
  peer.send("250 ok\r\n451 later\r\n503 no\r\n");
  peer.until("RSET\r\n");
  peer.send("250 ok\r\n");
  take(peer);
  eventually([&] { return waiting() == 0; }, "its end");
}

TEST_F(ModeTest, RedirectsAllOfItToOneAddress) {
  set_mode(policy::Mode::redirect);
  accept({"A: b\r\n\r\n"}, {"c@d", "e@f"});
  auto peer = acceptor.accept();
  greet(peer);
  const auto commands = peer.until("DATA\r\n");
  EXPECT_THAT(commands, HasSubstr("RCPT TO:<test@qa.test>\r\n"));
  peer.send("250 ok\r\n250 ok\r\n354 go\r\n");
  const auto content = peer.until("\r\n.\r\n");
  EXPECT_THAT(content, StartsWith("Received: "));
  EXPECT_THAT(content, HasSubstr("X-Original-To: <c@d>\r\nX-Original-To: <e@f>\r\nA: b\r\n"));
  peer.send("250 queued\r\n");
  eventually([&] { return waiting() == 0; }, "its end");
  EXPECT_EQ(log.first("reception").at("original_recipients")[1], "e@f");
  EXPECT_FALSE(log.first("reception").contains("original_sender"));
  expect_count(Counter::recipients_redirected, 2);
}

TEST_F(ModeTest, WritesDownWhomTheClientNamedWhereThatIsNotWhoGetsIt) {
  const auto named = [this](const mail::Address& sender, const std::string& recipient) {
    auto message = engine->sink(0).begin();
    message->note_named({sender, {address(recipient)}});
    EXPECT_TRUE(loops[0]->run(committed(*message)));
    return log.records("reception").back();
  };
  const auto same = named({}, "c@d");
  EXPECT_FALSE(same.contains("original_sender"));
  EXPECT_FALSE(same.contains("original_recipients"));
  const auto other = named(address("x@y"), "c@e");
  EXPECT_EQ(other.at("original_sender"), "x@y");
  EXPECT_EQ(other.at("original_recipients")[0], "c@e");
  set_mode(policy::Mode::redirect);
  EXPECT_EQ(named({}, "c@e").at("original_recipients")[0], "c@e") << "not whom rules named before the mode";
}

TEST_F(ModeTest, SendsToTheAllowlistAndCapturesTheOthers) {
  set_mode(policy::Mode::allowlist);
  accept({"A: b\r\n\r\n"}, {"c@d", "x@qa.test"});
  auto peer = acceptor.accept();
  greet(peer);
  EXPECT_THAT(peer.until("DATA\r\n"), ::testing::Not(HasSubstr("c@d")));
  peer.send("250 ok\r\n250 ok\r\n354 go\r\n");
  peer.until("\r\n.\r\n");
  peer.send("250 queued\r\n");
  eventually([&] { return listed().size() == 1; }, "the delivery");
  EXPECT_EQ(listed()[0]["recipients"][0]["address"], "c@d");
  EXPECT_EQ(listed()[0]["captured"], true);
}

// ---- what was accepted before, and our own mail ----

TEST_F(ModeTest, KeepsInWhatWasDeferredUnderAnother) {
  accept();
  auto peer = acceptor.accept();
  greet(peer);
  peer.until("DATA\r\n");
  set_mode(policy::Mode::capture);
  peer.send("250 ok\r\n451 later\r\n503 no\r\n");
  eventually_captured(1);
  EXPECT_EQ(waiting(), 1);
  EXPECT_EQ(log.first("capture").at("recipients")[0], "c@d");
  expect_count(Counter::recipients_captured, 1);
}

TEST_F(ModeTest, KeepsInWhatWaitsForAConnection) {
  accept();
  auto peer = acceptor.accept();
  set_mode(policy::Mode::capture);  // before the hop has greeted
  greet(peer);
  eventually_captured(1);
}

TEST_F(ModeTest, KeepsReportsInToo) {
  accept();
  auto peer = acceptor.accept();
  greet(peer);
  peer.until("DATA\r\n");
  set_mode(policy::Mode::capture);
  peer.send("250 ok\r\n550 no\r\n503 no\r\n");
  eventually_captured(1);
  EXPECT_EQ(listed()[0]["sender"], "");
  EXPECT_EQ(listed()[0]["recipients"][0]["address"], "a@example.com");
  EXPECT_EQ(log.first("report").at("captured"), true);
}

TEST_F(ModeTest, RedirectsReports) {
  set_mode(policy::Mode::redirect);
  accept();
  auto peer = acceptor.accept();
  greet(peer);
  take(peer, "250 ok\r\n", "550 no\r\n");
  EXPECT_THAT(peer.until("DATA\r\n"), HasSubstr("RCPT TO:<test@qa.test>"));
  peer.send("250 ok\r\n250 ok\r\n354 go\r\n");
  EXPECT_THAT(peer.until("\r\n.\r\n"), StartsWith("X-Original-To: <a@example.com>\r\n"));
  peer.send("250 queued\r\n");
  eventually([&] { return waiting() == 0; }, "its end");
}

TEST_F(ModeTest, LetsAllOutAgainInProductionButForWhatIsOnHold) {
  set_mode(policy::Mode::capture);
  accept();
  set_mode(policy::Mode::deliver);
  accept({"A: c\r\n\r\n"});
  auto peer = acceptor.accept();
  greet(peer);
  EXPECT_THAT(take(peer), HasSubstr("A: c"));
  eventually([&] { return waiting() == 1; }, "the delivery");
  EXPECT_EQ(release(captured()).changed, 1U);
  EXPECT_THAT(take(peer), HasSubstr("A: b"));
}

// ---- places ----

class ModePlacesTest : public SpoolTest {
 protected:
  void set_mode(policy::Mode mode) {
    settings.change([&](Limits& limits) { limits.guard = guard(mode); });
  }
  std::vector<spool::WaitingMessage> held() const { return *store->list_places(Family::held, "", 1000); }
};

TEST_F(ModePlacesTest, AWaitingMessageIsDividedByWhoIsAllowed) {
  set_mode(policy::Mode::allowlist);
  const auto id = store->next_id();
  store_message(envelope({"c@d", "x@qa.test"}), {place(id, "smarthost/default")});
  start();
  expect_shipped(1);
  const auto attempt = shipped.attempts().front();
  EXPECT_EQ(attempt.pending, std::vector<std::uint32_t>{1});
  ASSERT_EQ(held().size(), 1U);
  EXPECT_EQ(held()[0].waiting.share, std::vector<std::uint32_t>{0});
  EXPECT_TRUE(held()[0].waiting.is_captured);
}

TEST_F(ModePlacesTest, SharesInOneQueueAreCapturedUnderKeysOfTheirOwn) {
  set_mode(policy::Mode::capture);
  const auto id = store->next_id();
  store_message(
    envelope({"c@d", "e@f"}), {place(id, "smarthost/default", {0}), place(id, "smarthost/other", {1})}
  );
  start({"smarthost/default", "smarthost/other"});
  eventually([&] { return held().size() == 2; }, "both");
  EXPECT_TRUE(places().empty());
  EXPECT_EQ(shipped.count(), 0U);
}

}  // namespace
}  // namespace relay::engine
