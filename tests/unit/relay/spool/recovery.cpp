#include "relay/spool/recovery.hpp"

#include "relay/route/next_hop.hpp"
#include "tests/unit/relay/spool/store_fixture.hpp"

namespace relay::spool {
namespace {

using RecoveryTest = StoreTest;

TEST_F(RecoveryTest, GivesNoIdTwiceWhenItsCountOfStartsIsLost) {
  open().reset();
  open().reset();
  auto store = open();
  const auto waits = accept(*store, at(1));
  // As a repaired log leaves it whose last records are missing: the count is older than the ids.
  ASSERT_TRUE(store->write({put(Family::meta, "starts", big_endian(2, 8))}, Sync::yes));
  store.reset();
  store = open();
  EXPECT_GT(store->next_id(), waits);
  ASSERT_TRUE(store->write({put(Family::meta, "starts", big_endian(1, 8))}, Sync::yes));
  ASSERT_TRUE(store->write(*store->quarantine(waits), Sync::yes));
  store.reset();
  EXPECT_GT(open()->next_id(), waits) << "nor those of quarantined mail";
}

TEST_F(RecoveryTest, GivesNoIdOfALonePlaceInTheQueueBehindARepair) {
  auto store = open();
  const QueueId lone{store->next_id().spool, (7ULL << kSequenceBits) + 5};
  ASSERT_TRUE(store->write({put(Family::due, due_key(kQueue, at(1), lone), "garbage")}, Sync::yes));
  store.reset();
  store = open_repaired();
  EXPECT_GT(store->next_id(), lone);
}

TEST_F(RecoveryTest, QueuesAgainWhatLostItsPlaceByARepair) {
  auto store = open();
  const auto in_place = accept(*store, at(1));
  const auto lost = accept(*store, at(2));
  unqueue(*store, lost, at(2));
  store.reset();
  store = open_repaired();
  const auto page = *store->due(kQueue, std::nullopt, kEver, 10);
  ASSERT_EQ(page.items.size(), 2U);
  EXPECT_EQ(page.items[0].key.id, in_place);
  EXPECT_EQ(page.items[1].key.id, lost);
  EXPECT_EQ(page.items[1].size, 1000U);
  ASSERT_EQ(log.records("spool_recovered").size(), 1U);
  EXPECT_EQ(log.records("spool_recovered").front().at("queued"), 1);
  store.reset();
  store = open();
  EXPECT_EQ(log.records("spool_recovered").size(), 1U) << "once";
  EXPECT_EQ(store->usage().messages, 2U);
}

TEST_F(RecoveryTest, LeavesFailedMailWhereItIsBehindARepair) {
  auto store = open();
  const auto failed = accept(*store, at(1));
  unqueue(*store, failed, at(1));
  ASSERT_TRUE(store->write(
    {put_record(Family::failed, id_key(failed), to_payload(Failed{at(1), 5, at(3), 1}))}, Sync::yes
  ));
  store.reset();
  store = open_repaired();
  EXPECT_EQ(store->usage().messages, 0U);
  EXPECT_TRUE(store->failed(failed));
}

TEST_F(RecoveryTest, ConcludesSettledMailWhosePlaceWasLost) {
  auto store = open();
  const auto delivered = accept(*store, at(1));
  const auto refused = accept(*store, at(1));
  unqueue(*store, delivered, at(1));
  unqueue(*store, refused, at(1));
  ASSERT_TRUE(store->write({result_of(delivered, true), result_of(refused, false)}, Sync::yes));
  store.reset();
  store = open_repaired();
  EXPECT_EQ(store->usage().messages, 0U) << "nobody gets it twice";
  EXPECT_EQ(store->envelope(delivered).error().code, Errc::not_found);
  EXPECT_EQ(store->failed(refused)->recipients, 1U);
}

TEST_F(RecoveryTest, QuarantinesAnEnvelopeThatNobodyWouldEverRead) {
  auto store = open();
  const auto id = store->next_id();
  ASSERT_TRUE(store->write({put(Family::envelope, id_key(id), "garbage")}, Sync::yes));
  store.reset();
  store = open_repaired();
  EXPECT_EQ(store->envelope(id).error().code, Errc::not_found);
  EXPECT_EQ(metrics.total(metrics::Counter::spool_quarantined), 1U);
}

TEST_F(RecoveryTest, RemovesMailWhoseFailuresWereReported) {
  auto store = open();
  const auto told = accept(*store, at(1));
  unqueue(*store, told, at(1));
  write(
    *store,
    {result_of(told, false, 0, true), put_record(Family::signature, id_key(told), "DKIM-Signature: x")}
  );
  store.reset();
  store = open_repaired();
  EXPECT_EQ(store->envelope(told).error().code, Errc::not_found);
  EXPECT_EQ(store->failed(told).error().code, Errc::not_found);
  EXPECT_EQ(store->signature(told).error().code, Errc::not_found);
  EXPECT_EQ(log.records("spool_recovered").front().at("removed"), 1);
}

TEST_F(RecoveryTest, LeavesHeldMailWhereItIs) {
  auto store = open();
  const auto held = accept(*store, at(1));
  unqueue(*store, held, at(1));
  write(*store, {place_of(Family::held, kQueue, at(1), held, {})});
  store.reset();
  store = open_repaired();
  EXPECT_TRUE(store->due(kQueue, std::nullopt, kEver, 10)->items.empty());
  EXPECT_EQ(store->list_places(Family::held, "", 10).size(), 1U);
}

TEST_F(RecoveryTest, GivesAPlaceToRecipientsThatNeitherWaitNorHaveAResult) {
  auto store = open();
  const auto id = accept_divided(*store, at(1), {{0}, {1}, {2}});
  write(
    *store, {remove(Family::due, due_key("b", at(1), id)), remove(Family::due, due_key("c", at(1), id)),
             result_of(id, true, 1)}
  );
  store.reset();
  store = open_repaired();
  EXPECT_EQ(store->list_places(Family::due, "", 10).size(), 2U);
  const auto keys = *store->places_of(Family::due, id, std::string(route::kUnroutedDestination));
  ASSERT_EQ(keys.size(), 1U);
  EXPECT_EQ(store->place(Family::due, keys.front())->share, std::vector<std::uint32_t>{2});
  EXPECT_EQ(store->place(Family::due, due_key("a", at(1), id))->share, std::vector<std::uint32_t>{0});
}

TEST_F(RecoveryTest, LeavesADividedMessageWhoseSharesAllHaveTheirPlace) {
  auto store = open();
  const auto id = accept_divided(*store, at(1), {{0}, {1, 2}});
  // One share is held by a person: it has its place, too.
  write(
    *store, {remove(Family::due, due_key("b", at(1), id)), place_of(Family::held, "b", at(1), id, {1, 2})}
  );
  store.reset();
  store = open_repaired();
  EXPECT_EQ(store->list_places(Family::due, "", 10).size(), 1U);
  EXPECT_EQ(store->usage().messages, 1U);
}

TEST_F(RecoveryTest, TakesAPlaceThatDoesNotVerifyForOneOfAllRecipients) {
  auto store = open();
  const auto id = accept_divided(*store, at(1), {{0}});
  write(*store, {put(Family::due, due_key("b", at(1), id), "garbage")});
  store.reset();
  store = open_repaired();
  EXPECT_EQ(store->places_of(Family::due, id)->size(), 2U) << "it is quarantined when its turn comes";
}

}  // namespace
}  // namespace relay::spool
