// The dispatcher and messages whose place changes: other routes, a person's wish, old age.

#include <set>

#include "tests/unit/relay/engine/spool_fixture.hpp"

namespace relay::engine {
namespace {

using relay::test::eventually;
using test::smarthost;
using Share = std::vector<std::uint32_t>;

constexpr const char* kOld = "smarthost/old";
constexpr const char* kDefault = "smarthost/default";

class PlacesTest : public SpoolTest {
 protected:
  QueueId store_in(const std::vector<std::pair<std::string, Share>>& queues) {
    const auto id = store->next_id();
    std::vector<Place> places;
    for (const auto& [queue, share] : queues) places.push_back(place(id, queue, share));
    return store_message(envelope({"c@one.example", "e@two.example"}), places);
  }
  /// `<queue> <recipients>` of each place of a message that waits.
  std::multiset<std::string> queues_of(const QueueId& id) const {
    std::multiset<std::string> queues;
    for (const auto& [key, waiting] : places()) {
      if (key.id != id) continue;
      auto text = key.queue;
      for (const auto index : waiting.share) text += " " + std::to_string(index);
      queues.insert(text);
    }
    return queues;
  }
  using Queues = std::multiset<std::string>;
};

// ---- routes ----

TEST_F(PlacesTest, AWholeMessageMovesWhereTheRoutesLeadNow) {
  const auto id = store_in({{kOld, {}}});
  dispatcher->depths().add({place(id, kOld)});
  start({kOld});
  expect_shipped(1);
  const auto attempt = shipped.attempts().front();
  EXPECT_EQ(attempt.place.queue.destination.name, kDefault);
  EXPECT_FALSE(attempt.is_divided());
  EXPECT_EQ(attempt.pending, (Share{0, 1}));
  EXPECT_EQ(queues_of(id), Queues{kDefault});
  EXPECT_EQ(depth(kOld), 0U);
  EXPECT_EQ(depth(kDefault), 1U);
}

TEST_F(PlacesTest, AMessageIsDividedWhenItsRoutesDivergedMeanwhile) {
  settings.set_routes({smarthost("default"), smarthost("two", {"two.example"})});
  const auto id = store_in({{kDefault, {}}});
  start();
  expect_shipped(2);
  std::set<std::pair<std::string, Share>> attempts;
  for (const auto& attempt : shipped.attempts())
    attempts.insert({attempt.place.queue.destination.name, attempt.pending});
  EXPECT_EQ(attempts, (std::set<std::pair<std::string, Share>>{{kDefault, {0}}, {"smarthost/two", {1}}}));
  EXPECT_EQ(queues_of(id), (Queues{"smarthost/default 0", "smarthost/two 1"}));
}

TEST_F(PlacesTest, AMovedMessageKeepsItsAgeItsAttemptsAndThatItsSenderWasWarned) {
  const auto id = store->next_id();
  auto old = place(id, kOld);
  old.item.arrival -= 10h;
  old.item.attempts = 7;
  old.item.sender_was_warned = true;
  write(accept_operations(id, envelope({"c@d"}), {}));
  write({put_place(old, "451 later")});
  start({kOld});
  expect_shipped(1);
  const auto attempt = shipped.attempts().front();
  EXPECT_EQ(attempt.place.item.arrival, old.item.arrival);
  EXPECT_EQ(attempt.place.item.attempts, 7U);
  EXPECT_TRUE(attempt.place.item.sender_was_warned);
}

TEST_F(PlacesTest, AShareWaitsWhileTheQueueThatItBelongsToHoldsTheMessage) {
  const auto id = store_in({{kDefault, {0}}, {kOld, {1}}});
  const auto first = *store->places_of(Family::due, id, kDefault);
  start({kOld});
  eventually(
    [&] {
      const auto all = places();
      return std::any_of(all.begin(), all.end(), [&](const auto& one) {
        return !one.waiting.last.empty() && one.waiting.at < clock->now();
      });
    },
    "the postponement"
  );
  EXPECT_EQ(queues_of(id), (Queues{"smarthost/default 0", "smarthost/old 1"}));
  EXPECT_EQ(shipped.count(), 0U);
  write({spool::remove(Family::due, first.front())});  // the other recipient got it
  dispatcher->hurry({kOld});
  expect_shipped(1);
  EXPECT_EQ(shipped.attempts().front().place.queue.destination.name, kDefault);
  EXPECT_EQ(shipped.attempts().front().pending, Share{1});
  EXPECT_EQ(queues_of(id), Queues{"smarthost/default 1"});
}

TEST_F(PlacesTest, AShareAsksAgainByTheScheduleOfItsQueue) {
  settings.reshape([](queue::Shape& shape) { shape.retry = {200ms, 1s, 120h}; });
  const auto id = store_in({{kDefault, {0}}, {kOld, {1}}});
  start({kOld});
  std::set<milliseconds> waits;
  eventually(
    [&] {
      for (const auto& one : places()) {
        const bool is_postponed = one.key.queue == kOld && !one.waiting.last.empty();
        if (is_postponed) waits.insert(one.key.due - one.waiting.at);
      }
      return !waits.empty() && *waits.rbegin() >= 900ms;
    },
    "the longest wait"
  );
  EXPECT_LE(*waits.rbegin(), 1100ms);
  EXPECT_EQ(queues_of(id), (Queues{"smarthost/default 0", "smarthost/old 1"}));
}

TEST_F(PlacesTest, AShareWaitsWhileAPersonHoldsTheMessageInTheQueueThatItBelongsTo) {
  const auto id = store_in({{kOld, {1}}});
  const auto held = place(id, kDefault, {0});
  const spool::Waiting waiting{held.item.arrival, 1000, 0, {}, held.item.scheduled, held.share};
  write({spool::put_record(Family::held, key_of(held), spool::to_payload(waiting))});
  start({kOld});
  eventually(
    [this] { return !places().empty() && !places().front().waiting.last.empty(); }, "the postponement"
  );
  EXPECT_EQ(queues_of(id), Queues{"smarthost/old 1"});
  EXPECT_EQ(shipped.count(), 0U);
  write({spool::remove(Family::held, key_of(held))});
  expect_shipped(1);
  EXPECT_EQ(queues_of(id), Queues{"smarthost/default 1"});
}

TEST_F(PlacesTest, TwoSharesNeverMoveIntoOneQueueAtOnce) {
  constexpr std::size_t kMessages = 100;
  std::vector<QueueId> ids;
  for (std::size_t i = 0; i < kMessages; ++i)
    ids.push_back(store_in({{"smarthost/a", {0}}, {"smarthost/b", {1}}}));
  start({"smarthost/a", "smarthost/b"});
  eventually(
    [&] {
      const auto all = places();
      return std::count_if(all.begin(), all.end(), [](const auto& one) {
               return one.key.queue == kDefault;
             }) == static_cast<std::ptrdiff_t>(kMessages);
    },
    "all moves"
  );
  for (const auto& id : ids) {
    const auto queues = queues_of(id);
    const bool is_first = queues == Queues{"smarthost/default 0", "smarthost/b 1"};
    const bool is_second = queues == Queues{"smarthost/default 1", "smarthost/a 0"};
    EXPECT_TRUE(is_first || is_second) << ::testing::PrintToString(queues);
  }
}

// ---- nothing left to do ----

TEST_F(PlacesTest, ADividedMessageCountsUntilTheLastOfItsSettledPlacesIsGone) {
  constexpr int kMessages = 20;
  const spool::Settled settled{true, "250 ok", "hop", real_clock.wall(), true};
  for (int i = 0; i < kMessages; ++i) {
    const auto id = store_in({{kDefault, {0}}, {kOld, {1}}});
    for (const std::uint32_t recipient : {0U, 1U})
      write({spool::put_record(Family::result, spool::indexed_key(id, recipient), spool::to_payload(settled))}
      );
  }
  const auto half = store_in({{kOld, {1}}, {"smarthost/away", {0}}});
  write({spool::put_record(Family::result, spool::indexed_key(half, 1), spool::to_payload(settled))});
  admission->add_waiting(kMessages + 1, 1000 * (kMessages + 1));
  start({kDefault, kOld});
  eventually([this] { return places().size() == 1; }, "the end of all places but one");
  eventually([this] { return in_flight() == 0; }, "an empty schedule");
  EXPECT_EQ(metrics.read(metrics::Gauge::queue_messages), 1) << "the one that waits elsewhere";
  EXPECT_EQ(queues_of(half), Queues{"smarthost/away 0"});
  EXPECT_EQ(shipped.count(), 0U);
}

// ---- wishes ----

TEST_F(PlacesTest, WhatIsTakenOutOfMemoryDoesNotStart) {
  const auto taken = place(store->next_id());
  store_message(envelope({"c@d"}), {taken});
  dispatcher->pause();
  start();
  EXPECT_EQ(take_out({taken}, Wish::hold), std::vector{false});
  write({spool::remove(Family::due, key_of(taken))});
  dispatcher->withdraw({taken});
  dispatcher->unpause();
  const auto other = place(store->next_id());
  dispatcher->announce({other});
  store_message(envelope({"c@d"}), {other});
  dispatcher->accepted({other.item.key.id, {other}, {}});
  expect_shipped(1);
  EXPECT_EQ(shipped.attempts().front().id(), other.item.key.id);
  EXPECT_TRUE(wishes().empty()) << "it was fulfilled by whoever took it out";
}

TEST_F(PlacesTest, AWishForAMessageInFlightIsFulfilledOnceItIsDeferred) {
  const auto id = store_message();
  start();
  expect_shipped(1);
  const auto attempt = shipped.attempts().front();
  EXPECT_EQ(take_out({attempt.place}, Wish::hold), std::vector{true});
  EXPECT_TRUE(wishes().empty());
  auto again = attempt.place.item;
  again.key.due += 1h;
  dispatcher->finished(attempt, 0, again);
  eventually([this] { return wishes().size() == 1; }, "the wish");
  EXPECT_EQ(wishes(), (std::vector<std::pair<Wish, QueueId>>{{Wish::hold, id}}));
}

TEST_F(PlacesTest, AWishIsFulfilledWhenTheHopWasNotThere) {
  const auto id = store_message();
  start();
  expect_shipped(1);
  const auto attempt = shipped.attempts().front();
  take_out({attempt.place}, Wish::drop);
  dispatcher->hop_failed(kHop, "away");
  dispatcher->put_back(attempt, 0);
  eventually([this] { return wishes().size() == 1; }, "the wish");
  EXPECT_EQ(wishes().front(), (std::pair{Wish::drop, id}));
}

TEST_F(PlacesTest, AWishOutlivesTheDeliveryOfAnotherShare) {
  settings.set_routes({smarthost("default"), smarthost("two", {"two.example"})});
  const auto id = store_in({{kDefault, {0}}, {"smarthost/two", {1}}});
  start({kDefault, "smarthost/two"});
  expect_shipped(2);
  const auto attempts = shipped.attempts();
  EXPECT_EQ(take_out({attempts[0].place, attempts[1].place}, Wish::drop), (std::vector{true, true}));
  dispatcher->finished(attempts[0], 0, std::nullopt);
  eventually([this] { return wishes().size() == 1; }, "the wish");
  EXPECT_EQ(wishes().front(), (std::pair{Wish::drop, id}));
}

TEST_F(PlacesTest, AWishIsToldAlsoOfAPlaceThatIsSettled) {
  const auto id = store_message();
  start();
  expect_shipped(1);
  const auto attempt = shipped.attempts().front();
  take_out({attempt.place}, Wish::drop);
  dispatcher->finished(attempt, 0, std::nullopt);
  eventually([this] { return wishes().size() == 1; }, "the wish, whose fulfilment finds nothing more");
  EXPECT_EQ(wishes().front(), (std::pair{Wish::drop, id}));
}

// ---- old age ----

TEST_F(PlacesTest, WhatIsTooOldIsSettledByAShipper) {
  const auto id = store->next_id();
  auto old = place(id, kDefault, {1});
  old.item.arrival -= 1000h;
  store_message(envelope({"c@one.example", "e@two.example"}), {old});
  start();
  eventually([this] { return shipped.settled().size() == 1; }, "the settlement");
  const auto [attempt, outcome] = shipped.settled().front();
  EXPECT_EQ(attempt.id(), id);
  EXPECT_EQ(attempt.pending, Share{1});
  ASSERT_EQ(outcome.recipients.size(), 1U);
  EXPECT_EQ(outcome.recipients.front().disposition, smtp::Disposition::failed);
  EXPECT_EQ(
    outcome.recipients.front().reply.to_line(), "554 5.4.7 Delivery was tried for 120h without success"
  );
  EXPECT_EQ(shipped.count(), 0U);
  EXPECT_EQ(places().size(), 1U) << "until that is recorded";
}

TEST_F(PlacesTest, WhatIsTooOldIsToldTheAgeOfItsProvider) {
  provider_name = "big";
  queue::Shape brief;
  brief.retry.max_age = 2h;
  settings.set_shape_of("big", brief);
  const auto id = store->next_id();
  auto old = place(id, "mx/one.example");
  old.item.arrival -= 3h;
  store_message(envelope({"c@one.example"}), {old});
  start({"mx/one.example"});
  eventually([this] { return shipped.settled().size() == 1; }, "the settlement");
  const auto [attempt, outcome] = shipped.settled().front();
  EXPECT_EQ(attempt.provider, "big");
  EXPECT_EQ(
    outcome.recipients.front().reply.to_line(), "554 5.4.7 Delivery was tried for 2h without success"
  );
  EXPECT_EQ(shipped.count(), 0U);
}

TEST_F(PlacesTest, WhatIsLateIsGivenToAShipperThoughNothingIsTried) {
  provider_name = "big";
  queue::Shape patient;
  patient.warn_after = 10h;
  settings.set_shape_of("big", patient);
  constexpr std::size_t kMessages = 300;
  std::set<QueueId> late_ones;
  const auto store_late = [&](const std::string& queue, std::size_t count, milliseconds age) {
    for (std::size_t i = 0; i < count; ++i) {
      auto one = place(store->next_id(), queue);
      one.item.arrival -= age;
      one.item.key.due = one.item.arrival;
      store_message(envelope({"c@one.example"}), {one});
      if (queue == kDefault) late_ones.insert(one.item.key.id);
    }
  };
  store_late(kDefault, kMessages, 5h);
  store_late("mx/one.example", 3, 5h);
  dispatcher->suspend(kHop, std::nullopt);
  dispatcher->suspend({"mx/one.example"}, std::nullopt);
  dispatcher->hop_failed(kHop, "hop.example: connecting: refused");
  start({kDefault, "mx/one.example"});
  eventually([this] { return shipped.settled().size() >= 20; }, "the first of them");
  for (const auto& [attempt, outcome] : shipped.settled()) {
    EXPECT_EQ(outcome.recipients.size(), attempt.pending.size());
    EXPECT_EQ(outcome.recipients.front().disposition, smtp::Disposition::untried);
    EXPECT_EQ(outcome.recipients.front().reply.to_line(), "451 4.4.1 hop.example: connecting: refused");
    EXPECT_TRUE(late_ones.contains(attempt.id())) << "the provider's destinations have more time";
    auto now_at = attempt.place.item;
    now_at.key.due += 1ms;
    now_at.sender_was_warned = true;
    write({spool::remove(Family::due, key_of(attempt.place)), put_place({attempt.place.queue, now_at, {}})});
    dispatcher->moved(attempt, now_at);
  }
  eventually([this] { return shipped.settled().size() > 100; }, "those that are on disk");
  EXPECT_EQ(shipped.count(), 0U);
}

}  // namespace
}  // namespace relay::engine
