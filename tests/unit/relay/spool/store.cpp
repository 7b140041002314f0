#include "relay/spool/store.hpp"

#include <gmock/gmock.h>
#include <set>
#include <sys/resource.h>
#include <unistd.h>

#include "tests/unit/relay/spool/broken_files.hpp"
#include "tests/unit/relay/spool/store_fixture.hpp"

namespace relay::spool {
namespace {

TEST_F(StoreTest, FindsEverythingAgainBehindARestart) {
  auto store = open();
  const auto first = accept(*store, at(10), 3);
  const auto second = accept(*store, at(20));
  store.reset();
  store = open();
  EXPECT_EQ(store->queues().value(), std::vector<std::string>{kQueue});
  EXPECT_EQ(waiting(*store), (std::vector{first, second}));
  EXPECT_EQ(store->envelope(first)->chunks, 3U);
  EXPECT_EQ(*store->chunk(first, 2), std::string(1000, 'c'));
  EXPECT_EQ(store->usage().messages, 2U);
  EXPECT_EQ(store->usage().octets, 4000U);
}

TEST_F(StoreTest, GivesNoIdTwiceAcrossRestarts) {
  std::set<QueueId> ids;
  for (int start = 0; start < 5; ++start) {
    auto store = open();
    for (int i = 0; i < 100; ++i) EXPECT_TRUE(ids.insert(store->next_id()).second);
  }
  EXPECT_TRUE(std::is_sorted(ids.begin(), ids.end()));
}

TEST_F(StoreTest, IsForItsOwnerAlone) {
  auto store = open();
  const auto mode = std::filesystem::status(folder.path("spool")).permissions();
  EXPECT_EQ(mode, std::filesystem::perms::owner_all);
}

TEST_F(StoreTest, WaitsForAnotherProcessThatHoldsIt) {
  auto store = open();
  int asked = 0;
  auto second = Store::open(
    {folder.path("spool"),
     [&](const Error&) {
       if (++asked == 2) store.reset();
       return asked < 10;
     },
     &log, &metrics}
  );
  ASSERT_TRUE(second) << second.error().message();
  EXPECT_EQ(asked, 2);
  const auto third = Store::open({folder.path("spool"), [](const Error&) { return false; }, &log, &metrics});
  ASSERT_FALSE(third);
  EXPECT_EQ(third.error().code, Errc::cancelled);
}

TEST_F(StoreTest, PagesThroughTheQueueFromARememberedBound) {
  auto store = open();
  std::vector<QueueId> ids;
  for (int i = 0; i < 10; ++i) ids.push_back(accept(*store, at(100 + i)));
  auto page = *store->due(kQueue, std::nullopt, at(105), 4);
  ASSERT_EQ(page.items.size(), 4U);
  EXPECT_EQ(page.next_due, at(104));
  page = *store->due(kQueue, page.items.back().key, at(105), 100);
  ASSERT_EQ(page.items.size(), 2U);
  EXPECT_EQ(page.items.front().key.id, ids[4]);
  EXPECT_EQ(page.next_due, at(106)) << "what is due later is named, not read";
  EXPECT_FALSE(store->due(kQueue, queue::ItemKey{at(109), ids[9]}, at(200), 100)->next_due);
  EXPECT_TRUE(store->due("smarthost/other", std::nullopt, at(200), 100)->items.empty());
}

TEST_F(StoreTest, SweepsChunksWhoseMessageWasNeverAccepted) {
  auto store = open();
  const auto id = store->next_id();
  Operations operations{put(Family::incoming, id_key(id), "")};
  operations.push_back(put_record(Family::content, indexed_key(id, 0), "half a message"));
  ASSERT_TRUE(store->write(operations, Sync::no));
  const auto kept = accept(*store, at(1));
  store.reset();
  store = open();
  EXPECT_EQ(store->chunk(id, 0).error().code, Errc::not_found);
  EXPECT_TRUE(store->chunk(kept, 0));
}

TEST_F(StoreTest, AppliesTheChangesOfOneKeyInTheirOrderAndOtherKeysInAny) {
  auto store = open();
  const auto first = store->next_id(), second = store->next_id();
  const auto chunk = [](const QueueId& id, std::string_view octets) {
    return put_record(Family::content, indexed_key(id, 0), octets);
  };
  const Operations operations{
    chunk(second, "second"), chunk(first, "first"), remove(Family::content, indexed_key(second, 0)),
    remove(Family::content, indexed_key(first, 0)), chunk(first, "again")
  };
  ASSERT_TRUE(store->write(operations, Sync::yes));
  EXPECT_EQ(*store->chunk(first, 0), "again");
  EXPECT_EQ(store->chunk(second, 0).error().code, Errc::not_found);
}

TEST_F(StoreTest, QuarantinesADamagedMessageAndKeepsTheOthers) {
  auto store = open();
  const auto damaged = accept(*store, at(1), 2);
  const auto good = accept(*store, at(2));
  // As if the disk had changed a bit: the value under the key does not verify.
  ASSERT_TRUE(store->write({remove(Family::content, indexed_key(damaged, 1))}, Sync::no));
  ASSERT_TRUE(store->write({put(Family::content, indexed_key(damaged, 1), "garbage")}, Sync::no));
  EXPECT_EQ(store->chunk(damaged, 1).error().code, Errc::corrupt);
  ASSERT_TRUE(store->write(*store->quarantine(damaged), Sync::yes));
  EXPECT_TRUE(store->quarantine(damaged)->empty()) << "nothing of it is left";
  EXPECT_EQ(waiting(*store), std::vector{good});
  EXPECT_EQ(store->envelope(damaged).error().code, Errc::not_found);
  EXPECT_TRUE(store->envelope(good));
}

TEST_F(StoreTest, NamesDamagedPlacesInTheQueueAndReadsOn) {
  auto store = open();
  const auto damaged = store->next_id();
  ASSERT_TRUE(store->write({put(Family::due, due_key(kQueue, at(1), damaged), "garbage")}, Sync::yes));
  const auto good = accept(*store, at(2));
  const auto page = *store->due(kQueue, std::nullopt, at(10), 10);
  EXPECT_EQ(page.damaged, std::vector{damaged});
  ASSERT_EQ(page.items.size(), 1U);
  EXPECT_EQ(page.items.front().key.id, good);
}

TEST_F(StoreTest, ListsWaitingAndFailedMessages) {
  auto store = open();
  const auto first = accept(*store, at(1));
  const auto second = accept(*store, at(2));
  const auto failed = store->next_id();
  ASSERT_TRUE(store->write(
    {put_record(Family::failed, id_key(failed), to_payload(Failed{at(1), 5, at(3), 1}))}, Sync::yes
  ));
  auto page = *store->list_places(Family::due, "", 1);
  ASSERT_EQ(page.size(), 1U);
  EXPECT_EQ(page.front().key.id, first);
  page = *store->list_places(Family::due, due_key(kQueue, at(1), first), 10);
  ASSERT_EQ(page.size(), 1U);
  EXPECT_EQ(page.front().key.id, second);
  ASSERT_EQ(store->list_failed(std::nullopt, 10)->size(), 1U);
  EXPECT_TRUE(store->list_failed(failed, 10)->empty());
  EXPECT_EQ(store->usage().failed, 1U);
}

// ---- damage to the files themselves ----

std::vector<std::filesystem::path> files_with(const std::string& folder, const std::string& extension) {
  std::vector<std::filesystem::path> found;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() == extension && entry.file_size() > 0) found.push_back(entry.path());
  }
  return found;
}

void flip(const std::filesystem::path& path, std::uintmax_t offset) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekg(static_cast<std::streamoff>(offset));
  const char octet = static_cast<char>(file.get() ^ 0x40);
  file.seekp(static_cast<std::streamoff>(offset));
  file.put(octet);
}

TEST_F(StoreTest, DropsATornEndOfTheLogThatNobodyWasPromised) {
  auto store = open();
  const auto id = accept(*store, at(1));
  store.reset();
  const auto logs = files_with(folder.path("spool"), ".log");
  ASSERT_EQ(logs.size(), 1U);
  std::ofstream(logs.front(), std::ios::app | std::ios::binary) << std::string(100, '\x17');
  store = open();
  EXPECT_EQ(waiting(*store), std::vector{id});
  EXPECT_EQ(metrics.total(metrics::Counter::spool_repairs), 0U) << "an ordinary end, not a damage";
}

TEST_F(StoreTest, KeepsWhatCanBeReadBehindAFlippedBitInTheLog) {
  auto store = open();
  std::vector<QueueId> ids;
  for (int i = 0; i < 200; ++i) ids.push_back(accept(*store, at(i), 4));
  store.reset();
  const auto logs = files_with(folder.path("spool"), ".log");
  ASSERT_EQ(logs.size(), 1U);
  flip(logs.front(), std::filesystem::file_size(logs.front()) / 2);
  store = open();
  EXPECT_EQ(metrics.total(metrics::Counter::spool_repairs), 1U);
  ASSERT_EQ(log.records("spool_damaged").size(), 1U);
  const auto copy = log.first("spool_damaged").at("copy").get<std::string>();
  EXPECT_FALSE(files_with(copy, ".log").empty()) << "all as it was found is kept aside";
  // RocksDB drops the damaged 32 KiB block of the log: what is left reads back whole, before and behind the
  // damage.
  const auto left = waiting(*store);
  EXPECT_GT(left.size(), 180U);
  EXPECT_EQ(left.front(), ids.front());
  EXPECT_EQ(left.back(), ids.back());
  for (const auto& id : left) {
    ASSERT_TRUE(store->envelope(id));
    for (std::uint32_t i = 0; i < 4; ++i) EXPECT_TRUE(store->chunk(id, i));
  }
  EXPECT_TRUE(store->write({}, Sync::yes));
}

TEST_F(StoreTest, KeepsTheContentOfAnAcceptedMessageThatStillCountsAsComingIn) {
  auto store = open();
  const auto id = accept(*store, at(1));
  ASSERT_TRUE(store->write({put(Family::incoming, id_key(id), "")}, Sync::yes));
  store.reset();
  store = open();
  EXPECT_TRUE(store->chunk(id, 0));
}

TEST_F(StoreTest, TellsWhatCannotBeReadFromWhatIsDamaged) {
  const auto id = accept(*open(), at(1));
  auto store = open();  // what was in the log stands in tables now
  test::BrokenFiles broken(folder.path("spool"), ".sst");
  EXPECT_EQ(store->envelope(id).error().code, Errc::storage_failed);
  EXPECT_EQ(store->envelope(id).error().fate, Fate::transient);
  EXPECT_EQ(store->due(kQueue, std::nullopt, at(10), 10).error().fate, Fate::transient);
  EXPECT_EQ(store->quarantine(id).error().code, Errc::storage_failed) << "it would lose what it cannot read";
  EXPECT_EQ(store->list_places(Family::due, "", 10).error().fate, Fate::transient)
    << "no list that looks whole";
  broken.mend();
  EXPECT_TRUE(store->envelope(id));
  EXPECT_EQ(waiting(*store), std::vector{id});
}

/// No file is opened in this process for as long as this lives.
class NoMoreDescriptors {
 public:
  NoMoreDescriptors() {
    getrlimit(RLIMIT_NOFILE, &before_);
    const int lowest_free = dup(0);
    close(lowest_free);
    const rlimit none{static_cast<rlim_t>(lowest_free), before_.rlim_max};
    setrlimit(RLIMIT_NOFILE, &none);
  }
  ~NoMoreDescriptors() { setrlimit(RLIMIT_NOFILE, &before_); }
  NoMoreDescriptors(const NoMoreDescriptors&) = delete;
  NoMoreDescriptors& operator=(const NoMoreDescriptors&) = delete;

 private:
  rlimit before_{};
};

TEST_F(StoreTest, IsShortOfSpaceAndNotBrokenWhereNoDescriptorIsLeftForItsFilesCase110) {
  auto store = open();
  std::vector<QueueId> written;
  Result<void> last;
  {
    const NoMoreDescriptors none;
    // One log holds four of them, and the next log is a file that can't be made.
    for (int i = 0; last && i < 20; ++i) {
      const auto id = store->next_id();
      last = store->write(
        {put_record(Family::content, indexed_key(id, 0), std::string(1U << 20U, 'a'))}, Sync::yes
      );
      if (last) written.push_back(id);
    }
    ASSERT_FALSE(last);
    EXPECT_EQ(last.error().code, Errc::storage_full) << last.error().message();
    EXPECT_EQ(last.error().fate, Fate::transient);
  }
  const auto resumed = store->resume_writing();
  ASSERT_FALSE(resumed);
  EXPECT_EQ(resumed.error().code, Errc::storage_full);
  EXPECT_EQ(resumed.error().fate, Fate::terminal) << "the next process writes again, this one does not";
  store.reset();
  store = open();
  for (const auto& id : written) EXPECT_TRUE(store->chunk(id, 0));
  EXPECT_TRUE(store->write({put(Family::meta, "x", "")}, Sync::yes));
}

TEST_F(StoreTest, RefusesASpoolOfAnotherFormatLoudly) {
  open().reset();
  {
    auto store = open();
    // Written through the store's own door: the key is one of its counters.
    ASSERT_TRUE(store->write({put(Family::meta, "format", "3")}, Sync::yes));
  }
  const auto store = Store::open({folder.path("spool"), [](const Error&) { return false; }, &log, &metrics});
  ASSERT_FALSE(store);
  EXPECT_THAT(store.error().message(), ::testing::HasSubstr("format 3"));
}

}  // namespace
}  // namespace relay::spool
