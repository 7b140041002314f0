#include "relay/engine/settler.hpp"

#include "tests/unit/relay/engine/reports_fixture.hpp"
#include "tests/unit/relay/spool/broken_files.hpp"

namespace relay::engine {
namespace {

using metrics::Gauge;
using relay::test::eventually;
using Share = std::vector<std::uint32_t>;

class SettlerTest : public ReportsFixture {
 protected:
  void open() override {
    ReportsFixture::open();
    shares = std::make_unique<Shares>();
    settler = std::make_unique<Settler>(
      *context, Settler::Services{loop->thread, metrics.shard(0), *dispatcher, *admission, *shares, *reports}
    );
  }
  void end(Attempt attempt, smtp::MessageOutcome outcome) {
    auto ended = std::make_shared<Ended>();
    ended->attempt = std::move(attempt);
    ended->outcome = std::move(outcome);
    net::ask(loop->thread, [&] { settler->settle(std::move(*ended)); });
  }
  void wait() {
    eventually(
      [this] { return net::ask(loop->thread, [this] { return settler->unrecorded() == 0; }); }, "the record"
    );
  }
  void settle(Attempt attempt, smtp::MessageOutcome outcome) {
    end(std::move(attempt), std::move(outcome));
    wait();
  }
  /// Two attempts at one message, in flight at the same time.
  std::pair<Attempt, Attempt> divided(const std::string& from = "a@example.com") {
    const auto id = store->next_id();
    const auto first = place(id, "smarthost/default", {0});
    const auto second = place(id, "smarthost/two", {1});
    store_message(envelope({"c@one.example", "e@two.example"}, from), {first, second}, "A: b\r\n\r\n");
    return {load(first), load(second)};
  }
  bool is_stored(const QueueId& id) const { return store->envelope(id).has_value(); }
  /// Reports that wait: messages of nobody.
  std::vector<spool::StoredEnvelope> reports_in_spool() const {
    std::vector<spool::StoredEnvelope> found;
    for (const auto& waiting : places()) {
      auto stored = store->envelope(waiting.key.id);
      if (stored && stored->envelope.reverse_path.is_null()) found.push_back(std::move(*stored));
    }
    return found;
  }

  std::unique_ptr<Shares> shares;
  std::unique_ptr<Settler> settler;
};

TEST_F(SettlerTest, PutsAReportInThePlaceOfAMessageThatFailed) {
  const auto failed = attempt();
  admission->add_waiting(1, 1000);
  settle(failed, outcome({kFailed}));
  EXPECT_FALSE(is_stored(failed.id()));
  ASSERT_EQ(reports_in_spool().size(), 1U);
  EXPECT_EQ(places().size(), 1U);
  EXPECT_EQ(metrics.total(Counter::reports), 1U);
  ASSERT_EQ(log.records("report").size(), 1U);
  EXPECT_EQ(log.first("report").at("queue_id"), failed.id().to_text());
  EXPECT_EQ(log.first("report").at("to"), "a@example.com");
  EXPECT_EQ(metrics.read(Gauge::queue_messages), 1);
  EXPECT_EQ(metrics.read(Gauge::failed_messages), 0);
  expect_shipped(1);
  EXPECT_EQ(shipped.attempts().front().stored.envelope.recipients.front().to_text(), "a@example.com");
}

TEST_F(SettlerTest, KeepsAMessageOfNobodyThatFailedCase132) {
  const auto failed = attempt(1, "");
  settle(failed, outcome({kFailed}));
  EXPECT_TRUE(is_stored(failed.id()));
  EXPECT_EQ(store->failed(failed.id())->recipients, 1U);
  EXPECT_TRUE(places().empty()) << "no report";
  EXPECT_EQ(metrics.total(Counter::reports), 0U);
  EXPECT_EQ(metrics.read(Gauge::failed_messages), 1);
}

TEST_F(SettlerTest, RemovesWhatFailedWhenTheSenderWantsToHearNothing) {
  auto failed = attempt();
  failed.stored.envelope.dsn.recipients = {{mail::Notify{.never = true}, ""}};
  settle(failed, outcome({kFailed}));
  EXPECT_FALSE(is_stored(failed.id()));
  EXPECT_TRUE(places().empty());
  EXPECT_TRUE(store->list_failed(std::nullopt, 10)->empty());
}

TEST_F(SettlerTest, KeepsTheOriginalWhileTheDiskIsTooFullForItsReportCase108) {
  const auto failed = attempt(2);
  relay::test::BrokenFiles full(folder.path("spool"), ".log", "/dev/full");
  end(failed, outcome({kFailed, kDelivered}));
  eventually([this] { return metrics.total(Counter::spool_errors_full) > 0; }, "a full disk");
  EXPECT_TRUE(is_stored(failed.id()));
  EXPECT_TRUE(reports_in_spool().empty());
  EXPECT_TRUE(store->results(failed.id())->empty());
  full.mend();
  wait();
  EXPECT_FALSE(is_stored(failed.id()));
  EXPECT_EQ(reports_in_spool().size(), 1U) << "one, however often it was tried";
  expect_shipped(1);
}

TEST_F(SettlerTest, LeavesNeitherReportNorResultWhenTheCommitFails) {
  const auto failed = attempt(2);
  relay::test::BrokenFiles broken(folder.path("spool"), ".log");
  settle(failed, outcome({kFailed, kDeferred}));
  ASSERT_FALSE(log.records("storage_error").empty());
  broken.mend();
  close();
  open();
  EXPECT_TRUE(is_stored(failed.id()));
  EXPECT_TRUE(store->results(failed.id())->empty());
  EXPECT_TRUE(reports_in_spool().empty());
  EXPECT_EQ(places().size(), 1U) << "it is tried again behind the restart";
  EXPECT_EQ(load(failed.place).pending, (Share{0, 1}));
}

TEST_F(SettlerTest, WarnsTheSenderOfALateMessageOnce) {
  auto late = attempt();
  late.place.item.arrival -= 5h;
  settle(late, outcome({kDeferred}));
  EXPECT_EQ(reports_in_spool().size(), 1U);
  const auto again = store->places_of(Family::due, late.id());
  ASSERT_EQ(again->size(), 1U);
  const auto waiting = *store->place(Family::due, again->front());
  EXPECT_TRUE(waiting.sender_was_warned);
  auto next = place(late.id());
  next.item.key.due = spool::parse_due_key(again->front())->due;
  auto loaded = load(next);
  loaded.place.item.arrival = late.place.item.arrival;
  EXPECT_TRUE(loaded.place.item.sender_was_warned);
  settle(loaded, outcome({kDeferred}));
  EXPECT_EQ(reports_in_spool().size(), 1U);
  EXPECT_EQ(metrics.total(Counter::reports), 1U);
}

TEST_F(SettlerTest, WarnsTheSenderOfAMessageThatNobodyTries) {
  auto late_one = attempt(2);
  late_one.place.item.arrival -= 5h;
  settle(late_one, late(late_one, "hop: connecting: refused"));
  EXPECT_EQ(reports_in_spool().size(), 1U);
  EXPECT_TRUE(log.records("deferral").empty()) << "nothing was tried";
  EXPECT_EQ(log.first("report").at("actions"), (nlohmann::ordered_json{"delayed", "delayed"}));
  const auto again = store->places_of(Family::due, late_one.id());
  ASSERT_EQ(again->size(), 1U);
  const auto waiting = *store->place(Family::due, again->front());
  EXPECT_TRUE(waiting.sender_was_warned);
  EXPECT_EQ(waiting.attempts, 0U);
}

TEST_F(SettlerTest, MarksALateMessageWhoseSenderIsNotToBeToldToo) {
  auto of_nobody = attempt(1, "");
  auto quiet = attempt();
  quiet.stored.envelope.dsn.recipients = {{mail::Notify{.failure = true}, ""}};
  for (auto* each : {&of_nobody, &quiet}) {
    each->place.item.arrival -= 5h;
    settle(*each, late(*each, ""));
    const auto again = store->places_of(Family::due, each->id());
    ASSERT_EQ(again->size(), 1U);
    EXPECT_TRUE(store->place(Family::due, again->front())->sender_was_warned)
      << "or it would be asked for again";
  }
  EXPECT_EQ(metrics.total(Counter::reports), 0U);
}

TEST_F(SettlerTest, WarnsOfEachShareByItself) {
  auto [first, second] = divided();
  for (auto* each : {&first, &second}) {
    each->place.item.arrival -= 5h;
    settle(*each, late(*each, "away"));
  }
  EXPECT_EQ(reports_in_spool().size(), 2U);
  std::size_t marked = 0;
  for (const auto& waiting : places()) {
    if (waiting.key.id == first.id() && waiting.waiting.sender_was_warned) ++marked;
  }
  EXPECT_EQ(marked, 2U);
}

TEST_F(SettlerTest, RemovesADividedMessageWhenTheLastShareIsSettled) {
  const auto [first, second] = divided();
  admission->add_waiting(1, 1000);
  settle(first, outcome({kDelivered}));
  EXPECT_TRUE(is_stored(first.id()));
  EXPECT_EQ(metrics.total(Counter::messages_delivered), 0U);
  EXPECT_EQ(places().size(), 1U);
  settle(second, outcome({kDelivered}));  // taken up before the other was recorded
  EXPECT_FALSE(is_stored(first.id()));
  EXPECT_TRUE(store->results(first.id())->empty());
  EXPECT_EQ(metrics.total(Counter::messages_delivered), 1U);
  EXPECT_EQ(metrics.read(Gauge::queue_messages), 0);
}

TEST_F(SettlerTest, RemovesADividedMessageWhoseSharesEndAtOnce) {
  for (int i = 0; i < 50; ++i) {
    const auto [first, second] = divided();
    end(first, outcome({kDelivered}));
    end(second, outcome({kFailed}));
  }
  wait();
  EXPECT_EQ(metrics.total(Counter::messages_failed), 50U);
  for (const auto& waiting : places())
    EXPECT_TRUE(store->envelope(waiting.key.id)->envelope.reverse_path.is_null()) << "reports alone are left";
  EXPECT_EQ(reports_in_spool().size(), 50U);
}

TEST_F(SettlerTest, KeepsADividedMessageOfNobodyForTheShareThatFailed) {
  const auto [first, second] = divided("");
  settle(first, outcome({kFailed}));
  EXPECT_EQ(store->failed(first.id()).error().code, Errc::not_found) << "the other share waits";
  settle(second, outcome({kDelivered}));
  EXPECT_EQ(store->failed(first.id())->recipients, 1U);
  EXPECT_EQ(store->results(first.id())->size(), 2U);
}

TEST_F(SettlerTest, ReportsEachShareWhenItFails) {
  const auto [first, second] = divided();
  settle(first, outcome({kFailed}));
  EXPECT_EQ(reports_in_spool().size(), 1U);
  EXPECT_TRUE(is_stored(first.id()));
  settle(second, outcome({kDelivered}));
  EXPECT_FALSE(is_stored(first.id())) << "its sender has been told";
  EXPECT_EQ(reports_in_spool().size(), 1U);
}

TEST_F(SettlerTest, StoresTheSignatureOfADividedMessageOnceAndRemovesItWithIt) {
  auto [first, second] = divided();
  for (auto* attempt : {&first, &second}) {
    attempt->signature = "DKIM-Signature: x\r\n";
    attempt->has_signature = true;
  }
  settle(first, outcome({kDeferred}));
  EXPECT_EQ(*store->signature(first.id()), "DKIM-Signature: x\r\n");
  settle(second, outcome({kDelivered}));
  auto again = place(first.id(), "smarthost/default");
  again.item.key.due = spool::parse_due_key(store->places_of(Family::due, first.id())->front())->due;
  settle(load(again), outcome({kDelivered}));
  EXPECT_FALSE(is_stored(first.id()));
  EXPECT_EQ(store->signature(first.id()).error().code, Errc::not_found);
}

TEST_F(SettlerTest, WaitsWithAnOutcomeForAnOriginalThatCannotBeReadJustNow) {
  const auto failed = attempt();
  close();
  open();  // what was in the log stands in tables now
  relay::test::BrokenFiles broken(folder.path("spool"), ".sst");
  end(failed, outcome({kFailed}));
  eventually([this] { return !log.records("spool_unreadable").empty(); }, "a failed read");
  EXPECT_EQ(net::ask(loop->thread, [this] { return settler->unrecorded(); }), 1U);
  broken.mend();
  wait();
  EXPECT_FALSE(is_stored(failed.id()));
  EXPECT_EQ(reports_in_spool().size(), 1U);
}

}  // namespace
}  // namespace relay::engine
