#include "tests/unit/relay/spool/store_fixture.hpp"

namespace relay::spool {
namespace {

using PlacesTest = StoreTest;

TEST_F(PlacesTest, AreFoundByTheirKeyAndByTheirMessage) {
  auto store = open();
  const auto id = accept_divided(*store, at(7), {{0, 2}, {1}});
  accept_divided(*store, at(7), {{0}, {1}, {2}});
  const std::vector<std::string> both{due_key("a", at(7), id), due_key("b", at(7), id)};
  EXPECT_EQ(*store->places_of(Family::due, id), both);
  EXPECT_EQ(*store->places_of(Family::due, id, "b"), std::vector{both[1]});
  EXPECT_TRUE(store->places_of(Family::due, id, "c")->empty());
  EXPECT_TRUE(store->places_of(Family::held, id)->empty());
  EXPECT_EQ(store->place(Family::due, both[0])->share, (std::vector<std::uint32_t>{0, 2}));
  EXPECT_EQ(store->place(Family::held, both[0]).error().code, Errc::not_found);
}

TEST_F(PlacesTest, OfOneQueueAreNotThoseOfItsBulkLane) {
  auto store = open();
  const auto id = store->next_id();
  write(*store, {place_of(Family::due, "mx/b.example;bulk", at(1), id, {0})});
  EXPECT_TRUE(store->places_of(Family::due, id, "mx/b.example")->empty());
  EXPECT_EQ(store->places_of(Family::due, id, "mx/b.example;bulk")->size(), 1U);
  EXPECT_EQ(store->queues().value(), std::vector<std::string>{"mx/b.example;bulk"});
}

TEST_F(PlacesTest, ThatDoNotVerifyAreCorrupt) {
  auto store = open();
  const auto key = due_key("a", at(1), store->next_id());
  write(*store, {put(Family::due, key, "garbage")});
  EXPECT_EQ(store->place(Family::due, key).error().code, Errc::corrupt);
}

TEST_F(PlacesTest, AreListedInTheOrderOfTheirKeysEachFamilyForItself) {
  auto store = open();
  const auto first = accept_divided(*store, at(1), {{0}, {1, 2}});
  const auto held = store->next_id();
  write(*store, {place_of(Family::held, "a", at(3), held, {})});
  auto page = *store->list_places(Family::due, "", 1);
  ASSERT_EQ(page.size(), 1U);
  EXPECT_EQ(page.front().key.queue, "a");
  EXPECT_EQ(page.front().waiting.share, std::vector<std::uint32_t>{0});
  page = *store->list_places(Family::due, due_key("a", at(1), first), 10);
  ASSERT_EQ(page.size(), 1U);
  EXPECT_EQ(page.front().key.queue, "b");
  page = *store->list_places(Family::held, "", 10);
  ASSERT_EQ(page.size(), 1U);
  EXPECT_EQ(page.front().key.id, held);
}

TEST_F(PlacesTest, CountADividedMessageOnceAndEachOfItsQueues) {
  auto store = open();
  accept_divided(*store, at(1), {{0}, {1}, {2}});
  accept(*store, at(1));
  const auto usage = store->usage();
  EXPECT_EQ(usage.messages, 2U);
  EXPECT_EQ(usage.octets, 2000U);
  EXPECT_EQ(
    usage.by_queue, (std::map<std::string, std::uint64_t>{{"a", 1}, {"b", 1}, {"c", 1}, {kQueue, 1}})
  );
}

TEST_F(PlacesTest, CountAHeldMessageWhichWaitsInNoQueue) {
  auto store = open();
  const auto id = accept_divided(*store, at(1), {{0}, {1, 2}});
  write(*store, {remove(Family::due, due_key("a", at(1), id)), place_of(Family::held, "a", at(1), id, {0})});
  auto usage = store->usage();
  EXPECT_EQ(usage.messages, 1U) << "held in one queue, due in another";
  EXPECT_EQ(usage.by_queue, (std::map<std::string, std::uint64_t>{{"b", 1}}));
  write(*store, {place_of(Family::held, kQueue, at(1), store->next_id(), {})});
  usage = store->usage();
  EXPECT_EQ(usage.messages, 2U);
  EXPECT_EQ(usage.by_queue.size(), 1U);
}

TEST_F(PlacesTest, AndSignatureOfADamagedMessageAreSetAsideWithIt) {
  auto store = open();
  const auto damaged = accept_divided(*store, at(1), {{0}, {1}});
  const auto other = accept_divided(*store, at(1), {{0}, {1}});
  for (const auto& id : {damaged, other})
    write(
      *store, {place_of(Family::held, "c", at(1), id, {2}), put_record(Family::signature, id_key(id), "sig")}
    );
  write(*store, *store->quarantine(damaged));
  EXPECT_TRUE(store->places_of(Family::due, damaged)->empty());
  EXPECT_TRUE(store->places_of(Family::held, damaged)->empty());
  EXPECT_EQ(store->signature(damaged).error().code, Errc::not_found);
  EXPECT_EQ(store->places_of(Family::due, other)->size(), 2U);
  EXPECT_EQ(store->places_of(Family::held, other)->size(), 1U);
  EXPECT_EQ(*store->signature(other), "sig");
  EXPECT_EQ(store->usage().messages, 1U);
}

TEST_F(PlacesTest, AndSignaturesOutliveARestart) {
  auto store = open();
  const auto id = store->next_id();
  EXPECT_EQ(store->signature(id).error().code, Errc::not_found);
  write(
    *store, {place_of(Family::held, "a", at(1), id, {1}), put_record(Family::signature, id_key(id), "sig")}
  );
  store.reset();
  store = open();
  EXPECT_EQ(*store->signature(id), "sig");
  EXPECT_EQ(store->places_of(Family::held, id)->size(), 1U);
  write(*store, {remove(Family::signature, id_key(id))});
  write(*store, {put(Family::signature, id_key(id), "garbage")});
  EXPECT_EQ(store->signature(id).error().code, Errc::corrupt);
}

TEST_F(PlacesTest, OfASpoolThatAnOlderRelayWroteAreForAllRecipients) {
  auto store = open();
  const auto id = accept(*store, at(1));
  write(*store, {put(Family::meta, "format", "1")});
  store.reset();
  store = open();
  const auto waiting_there = store->place(Family::due, due_key(kQueue, at(1), id));
  EXPECT_EQ(waiting(*store), std::vector{id});
  EXPECT_TRUE(waiting_there->share.empty());
  EXPECT_FALSE(waiting_there->sender_was_warned);
}

}  // namespace
}  // namespace relay::spool
