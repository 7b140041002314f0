#include "relay/engine/dispatcher.hpp"

#include <fstream>

#include "tests/unit/relay/engine/spool_fixture.hpp"
#include "tests/unit/relay/spool/broken_files.hpp"

namespace relay::engine {
namespace {

using DispatcherTest = SpoolTest;

TEST_F(DispatcherTest, WakesUpForATimeThatItHadStoppedWaitingFor) {
  store_message();
  start();
  expect_shipped(1);
  dispatcher->put_back(shipped.attempts().front(), 0);
  dispatcher->hop_failed(kHop, "away");  // suspended until a certain time
  dispatcher->pause();                   // now it waits for nothing
  dispatcher->unpause();                 // and now for the same time again
  expect_shipped(2);
}

TEST_F(DispatcherTest, TakesAClockSetBackWhileAMessageWasRecordedForNoWaitCase105) {
  const auto ahead = clock->now() + 24h * 365;  // as the clock was when the places were chosen
  const auto id = store->next_id();
  auto at = place(id);
  at.item = {{ahead, id}, ahead, 0, 1000, ahead};
  const auto stored = envelope({"c@d"});
  dispatcher->announce({at});
  store_message(stored, {at});
  dispatcher->accepted({id, {at}, {stored, nullptr}, ahead});
  expect_shipped(1);
  const auto attempt = shipped.attempts().front();
  const queue::Item again{{ahead + 1s, id}, ahead, 1, 1000, ahead};
  write({spool::remove(Family::due, key_of(at))});
  at.item = again;
  write({put_place(at, "")});
  dispatcher->finished(attempt, 0, again);
  expect_shipped(2);
}

TEST_F(DispatcherTest, QuarantinesPagesOfDamagedPlacesOnceAndReadsOn) {
  constexpr std::size_t kDamaged = queue::kWindow + 200;
  for (std::size_t i = 0; i < kDamaged; ++i) store_damaged();
  const auto good = store_message();
  admission->add_waiting(kDamaged + 1, 0);
  dispatcher->depths().start_with(store->usage().by_queue);
  start();
  expect_shipped(1);
  EXPECT_EQ(shipped.attempts().front().id(), good);
  relay::test::eventually([this] { return quarantined() == kDamaged; }, "the quarantine");
  relay::test::eventually([this] { return store->usage().messages == 1; });
  // One that is read again just before its removal shows is named twice; it is counted and set aside once.
  EXPECT_GE(log.records("quarantine").size(), kDamaged);
  EXPECT_EQ(quarantined(), kDamaged);
  relay::test::eventually([this] { return depth() == 1; }, "the depth");
}

TEST_F(DispatcherTest, QuarantinesOnceTheDiskHasSpaceAgain) {
  const auto damaged = store_damaged();
  relay::test::BrokenFiles full(folder.path("spool"), ".log", "/dev/full");
  start();
  relay::test::eventually([this] { return metrics.total(Counter::spool_errors_full) > 0; }, "a full disk");
  EXPECT_EQ(quarantined(), 0U);
  full.mend();
  relay::test::eventually([this] { return quarantined() == 1; }, "the quarantine");
  EXPECT_EQ(store->envelope(damaged).error().code, Errc::not_found);
}

TEST_F(DispatcherTest, ReadsTheQueueAgainThatItCouldNotRead) {
  store_message();
  close();
  open();  // what was in the log stands in tables now
  relay::test::BrokenFiles broken(folder.path("spool"), ".sst");
  start();
  relay::test::eventually([this] { return admission->unready_reason().has_value(); }, "the failure shows");
  EXPECT_EQ(admission->refuse_message()->code, 451);
  broken.mend();
  expect_shipped(1);
  relay::test::eventually([this] { return !admission->unready_reason(); }, "mail is accepted again");
}

TEST_F(DispatcherTest, StopsAcceptingWhenTheQueueIsDamagedAndMendsItAtTheNextStart) {
  // Enough for many blocks of a table: a start looks at the first of each queue alone.
  constexpr std::size_t kMessages = 600;
  for (std::size_t i = 0; i < kMessages; ++i) store_message();
  close();
  open();
  close();
  // An octet of the table that holds the queue, behind its first block.
  for (const auto& entry : std::filesystem::directory_iterator(folder.path("spool"))) {
    if (entry.path().extension() != ".sst") continue;
    std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
    std::string octets{std::istreambuf_iterator<char>(file), {}};
    std::vector<std::size_t> places;
    for (auto at = octets.find(kHop.name); at != std::string::npos; at = octets.find(kHop.name, at + 1))
      places.push_back(at);
    if (places.size() < 10) continue;
    file.clear();
    file.seekp(static_cast<std::streamoff>(places[6]) + 1);
    file.put('?');
  }
  open();
  start();
  relay::test::eventually([this] { return admission->unready_reason().has_value(); }, "the failure shows");
  EXPECT_EQ(admission->refuse_message()->code, 451);
  std::this_thread::sleep_for(6s);
  EXPECT_TRUE(admission->unready_reason()) << "until a restart";
  EXPECT_TRUE(admission->restart_reason()) << "which this process is to make way for";
  EXPECT_LT(shipped.count(), kMessages);
  close();
  open();
  EXPECT_EQ(metrics.total(Counter::spool_repairs), 1U);
  EXPECT_EQ(store->usage().messages, kMessages);
  start();
  relay::test::eventually([this] { return shipped.count() > 0; }, "the attempts");
  EXPECT_FALSE(admission->unready_reason());
}

TEST_F(DispatcherTest, ForgetsAPlaceOfWhichNothingIsOnDisk) {
  const auto id = store->next_id();
  const auto gone = place(id);
  dispatcher->announce({gone});
  dispatcher->accepted({id, {gone}, {}});
  relay::test::eventually([this] { return !log.records("quarantine").empty(); }, "the failed load");
  relay::test::eventually([this] { return in_flight() == 0; }, "an empty queue");
  EXPECT_EQ(shipped.count(), 0U);
  EXPECT_EQ(quarantined(), 0U) << "there was nothing to set aside";
  relay::test::eventually([this] { return depth() == 0; }, "the depth");
}

TEST_F(DispatcherTest, SetsADividedMessageAsideAsAWhole) {
  const auto id = store->next_id();
  store_message(
    envelope({"c@d", "e@f"}), {place(id, "smarthost/default", {0}), place(id, "smarthost/two", {1})}
  );
  write({spool::remove(Family::envelope, spool::id_key(id))});
  write({spool::put(Family::envelope, spool::id_key(id), "garbage")});
  admission->add_waiting(1, 1000);
  dispatcher->depths().start_with(store->usage().by_queue);
  start({"smarthost/default", "smarthost/two"});
  relay::test::eventually([this] { return quarantined() == 1; }, "the quarantine");
  relay::test::eventually([this] { return in_flight() == 0; }, "an empty queue");
  EXPECT_TRUE(places().empty());
  EXPECT_EQ(metrics.read(metrics::Gauge::queue_messages), 0);
  EXPECT_EQ(quarantined(), 1U);
  EXPECT_EQ(shipped.count(), 0U);
}

}  // namespace
}  // namespace relay::engine
