#include "relay/engine/queue_control.hpp"

#include <algorithm>

#include "tests/unit/relay/engine/spooled.hpp"
#include "tests/unit/relay/spool/broken_files.hpp"

namespace relay::engine {
namespace {

using namespace std::chrono_literals;
using metrics::Gauge;
using spool::Family;

using QueueControlTest = Spooled;

TEST_F(QueueControlTest, HoldsAndReleasesWhatWaits) {
  for (int i = 0; i < 3; ++i) store_message();
  const auto held = change(QueueAction::hold, {});
  ASSERT_TRUE(held);
  EXPECT_EQ(held->changed, 3U);
  EXPECT_EQ(held->next, "");
  EXPECT_EQ(count(Family::due), 0U);
  EXPECT_EQ(count(Family::held), 3U);
  EXPECT_EQ(log.records("hold").size(), 3U);
  EXPECT_EQ(log.first("hold").at("reason"), "a test");
  start();
  const auto other = store_message();
  EXPECT_EQ(change(QueueAction::hold, only(other))->changed, 1U);
  EXPECT_EQ(shipped.count(), 0U);
  EXPECT_EQ(change(QueueAction::release, {})->changed, 4U);
  expect_shipped(4);
  EXPECT_EQ(count(Family::held), 0U);
  EXPECT_EQ(gauge(Gauge::queue_messages), 4) << "held mail waits too";
}

TEST_F(QueueControlTest, GoesInStepsThatMissNothing) {
  for (int i = 0; i < 25; ++i) store_message();
  Change asked;
  asked.action = QueueAction::hold;
  asked.limit = 10;
  std::size_t changed = 0;
  std::size_t steps = 0;
  do {
    const auto step = change(asked);
    ASSERT_TRUE(step);
    EXPECT_LE(step->changed, 10U);
    changed += step->changed;
    asked.cursor = step->next;
  } while (!asked.cursor.empty() && ++steps < 10);
  EXPECT_EQ(changed, 25U);
  EXPECT_EQ(count(Family::held), 25U);
}

TEST_F(QueueControlTest, ChangesWhatIsSelectedAlone) {
  store_message({"c@default.test"}, 0ms, "x@one.test");
  store_message({"c@default.test"}, 0ms, "x@two.test");
  store_message({"c@other.test"}, 0ms, "x@two.test");
  Selection sender;
  sender.sender = "two.test";
  sender.destination = "smarthost/default";
  EXPECT_EQ(change(QueueAction::hold, sender)->changed, 1U);
  Selection recipient;
  recipient.recipient = "C@OTHER.test";
  EXPECT_EQ(change(QueueAction::hold, recipient)->changed, 1U);
  EXPECT_EQ(count(Family::due), 1U);
}

TEST_F(QueueControlTest, HoldsWhatIsInFlightOnceItIsDeferred) {
  const auto id = store_message();
  start();
  expect_shipped(1);
  const auto held = change(QueueAction::hold, only(id));
  EXPECT_EQ(held->changed, 0U);
  EXPECT_EQ(held->in_flight, 1U);
  EXPECT_EQ(count(Family::held), 0U);
  defer(shipped.attempts().front());
  test::eventually([this] { return count(Family::held) == 1; }, "the hold");
  EXPECT_EQ(count(Family::due), 0U);
}

TEST_F(QueueControlTest, HoldsWhatWasPutBackUntried) {
  const auto id = store_message();
  start();
  expect_shipped(1);
  EXPECT_EQ(change(QueueAction::hold, only(id))->in_flight, 1U);
  dispatcher->hop_failed({"smarthost/default"}, "refused");
  dispatcher->put_back(shipped.attempts().front(), 0);
  test::eventually([this] { return count(Family::held) == 1; }, "the hold");
}

TEST_F(QueueControlTest, TriesAtOnceWhatIsDueLater) {
  const auto id = store_message({"c@default.test"}, 1h);
  store_message({"c@default.test"}, 1h);
  start();
  EXPECT_EQ(change(QueueAction::retry, only(id))->changed, 1U);
  expect_shipped(1);
  EXPECT_EQ(shipped.attempts().front().id(), id);
  EXPECT_EQ(
    change(QueueAction::retry, only(id))->in_flight + change(QueueAction::retry, only(id))->changed, 0U
  ) << "it is due already";
}

TEST_F(QueueControlTest, DeletesAllOfAMessageAndSaysWhoAndWhy) {
  const auto id = store_message({"c@default.test", "d@other.test"});
  ASSERT_EQ(count(Family::due), 2U);
  const auto deleted = change(QueueAction::remove, only(id));
  ASSERT_TRUE(deleted);
  EXPECT_EQ(deleted->changed, 1U);
  EXPECT_EQ(count(Family::due), 0U);
  EXPECT_EQ(store->envelope(id).error().code, Errc::not_found);
  EXPECT_EQ(store->chunk(id, 0).error().code, Errc::not_found);
  EXPECT_EQ(gauge(Gauge::queue_messages), 0);
  EXPECT_EQ(gauge(Gauge::queue_octets), 0);
  ASSERT_EQ(log.records("deletion").size(), 1U);
  const auto record = log.first("deletion");
  EXPECT_EQ(record.at("queue_id"), id.to_text());
  EXPECT_EQ(record.at("by"), "administrator");
  EXPECT_EQ(record.at("reason"), "a test");
  start();
  EXPECT_EQ(shipped.count(), 0U);
}

TEST_F(QueueControlTest, DeletesADividedMessageOnceNoneOfItIsInFlight) {
  const auto id = store_message({"c@default.test", "d@other.test"});
  start();
  expect_shipped(2);
  const auto attempts = shipped.attempts();
  defer(attempts[0]);
  EXPECT_EQ(change(QueueAction::remove, only(id))->in_flight, 1U);
  EXPECT_TRUE(store->envelope(id)) << "half of it is being sent";
  defer(attempts[1]);
  test::eventually([&] { return !store->envelope(id); }, "the deletion");
  EXPECT_EQ(count(Family::due), 0U);
  test::eventually([&] { return log.records("deletion").size() == 1; }, "its record");
}

TEST_F(QueueControlTest, TellsTheSenderOfWhatItDeletes) {
  const auto id = store_message({"c@default.test"}, 1h);
  start();
  Change asked;
  asked.action = QueueAction::remove;
  asked.selection = only(id);
  asked.is_reported = true;
  EXPECT_EQ(change(asked)->changed, 1U);
  expect_shipped(1);
  const auto report = shipped.attempts().front();
  EXPECT_TRUE(report.stored.envelope.reverse_path.is_null());
  EXPECT_EQ(report.stored.envelope.recipients.front().to_text(), "a@b.test");
  EXPECT_EQ(store->envelope(id).error().code, Errc::not_found);
  ASSERT_EQ(log.records("failure").size(), 1U);
  EXPECT_EQ(log.first("failure").at("reply"), "550 5.7.0 Deleted by an administrator");
  EXPECT_EQ(log.records("report").size(), 1U);
  EXPECT_EQ(gauge(Gauge::queue_messages), 1) << "the report";
}

TEST_F(QueueControlTest, DeletesADeadLetterOrTriesItAnew) {
  const auto gone = store_dead_letter(clock.now());
  const auto again = store_dead_letter(clock.now());
  start();
  EXPECT_EQ(gauge(Gauge::failed_messages), 2);
  EXPECT_EQ(change(QueueAction::release, {})->changed, 0U) << "none is released that nobody named";
  EXPECT_EQ(change(QueueAction::remove, only(gone))->changed, 1U);
  EXPECT_EQ(store->failed(gone).error().code, Errc::not_found);
  EXPECT_EQ(change(QueueAction::release, only(again))->changed, 1U);
  expect_shipped(1);
  EXPECT_EQ(shipped.attempts().front().pending, std::vector<std::uint32_t>{0});
  EXPECT_EQ(gauge(Gauge::failed_messages), 0);
  EXPECT_EQ(gauge(Gauge::queue_messages), 1);
}

TEST_F(QueueControlTest, ChangesNothingThatItCannotRecord) {
  const auto id = store_message({"c@default.test"}, 1h);
  start();
  {
    test::BrokenFiles full(folder.path("spool"), ".log", "/dev/full");
    EXPECT_FALSE(change(QueueAction::remove, only(id)));
    full.mend();
  }
  EXPECT_TRUE(store->envelope(id));
  EXPECT_EQ(gauge(Gauge::queue_messages), 1);
  ASSERT_FALSE(committer->has_failed_for_good());
  const auto resumes = [this] {
    committer->nudge();  // as the relay does once a second
    std::this_thread::yield();
    return !committer->failure();
  };
  test::eventually(resumes, "writing resumes");
  EXPECT_EQ(change(QueueAction::retry, only(id))->changed, 1U);
  expect_shipped(1);
}

TEST_F(QueueControlTest, TakesPlacesByTheirNamesAndNoOthers) {
  store_message();
  Change asked;
  asked.action = QueueAction::hold;
  asked.places = {name_of(find_standing(*store, {}, {Family::due}, "", 1)->found.front())};
  EXPECT_EQ(change(asked)->changed, 1U);
  EXPECT_EQ(change(asked)->unchanged, 1U) << "it moved";
  asked.places = {"nonsense"};
  EXPECT_EQ(change(asked).error().code, Errc::invalid_argument);
}

using DeadLettersTest = Spooled;

TEST_F(DeadLettersTest, GoWhenTheyAreOld) {
  const auto old = store_dead_letter(clock.now() - limits_->dead_letter_max_age);
  const auto young = store_dead_letter(clock.now());
  DeadLetters dead_letters(*context, *control);
  dead_letters.sweep();
  test::eventually([&] { return !store->failed(old); }, "the sweep");
  test::eventually([&] { return log.records("deletion").size() == 1; }, "the record");
  EXPECT_EQ(log.first("deletion").at("by"), "relay");
  EXPECT_TRUE(store->failed(young));
  TearDown();  // what the sweep has under way ends before it does
}

/// Recipients of one message, in one queue.
class HeldByARuleTest : public Spooled {
 protected:
  using Share = std::vector<std::uint32_t>;
  /// Replaces the only place of the message: a share waits, the others a rule holds, under these keys.
  void divide(const QueueId& id, Share waiting, std::vector<std::pair<milliseconds, Share>> held) {
    const auto found = find_standing(*store, only(id), {Family::due}, "", 1)->found.front();
    auto place = found.place;
    place.share = std::move(waiting);
    spool::Operations operations{spool::remove(Family::due, found.key), put_place(place)};
    for (auto& [later, share] : held) {
      auto other = found.place;
      other.item.key.due += later;
      other.share = std::move(share);
      operations.push_back(put_held(other));
    }
    ASSERT_TRUE(store->write(operations, spool::Sync::no));
  }
  /// All recipients that stand somewhere in this family.
  Share standing(Family family, const QueueId& id) {
    Share all;
    const auto page = find_standing(*store, only(id), {family}, "", 10);
    for (const auto& each : page->found)
      all.insert(all.end(), each.place.share.begin(), each.place.share.end());
    std::sort(all.begin(), all.end());
    return all;
  }
};

TEST_F(HeldByARuleTest, LosesNobodyWhenAPersonHoldsTheOthersToo) {
  const auto id = store_message({"a@default.test", "b@default.test", "c@default.test"});
  divide(id, {1}, {{0ms, {0}}, {1ms, {2}}});
  ASSERT_EQ(change(QueueAction::hold, only(id))->changed, 1U);
  EXPECT_EQ(standing(Family::held, id), (Share{0, 1, 2}));
  EXPECT_EQ(count(Family::held), 3U);
  ASSERT_EQ(change(QueueAction::release, only(id))->changed, 3U);
  EXPECT_EQ(standing(Family::due, id), (Share{0, 1, 2}));
  EXPECT_EQ(count(Family::held), 0U);
  EXPECT_EQ(count(Family::due), 1U) << "a queue holds a message once";
  start();
  expect_shipped(1);
  EXPECT_EQ(shipped.attempts().front().pending, (Share{0, 1, 2}));
}

}  // namespace
}  // namespace relay::engine
