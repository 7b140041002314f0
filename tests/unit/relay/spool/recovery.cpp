#include "relay/spool/recovery.hpp"

#include <csignal>
#include <sys/resource.h>

#include "relay/route/next_hop.hpp"
#include "tests/unit/relay/spool/store_fixture.hpp"

namespace relay::spool {
namespace {

using RecoveryTest = StoreTest;

/// No file of this process grows beyond `octets`, as on a disk that is full, for as long as this lives.
class SmallFiles {
 public:
  explicit SmallFiles(rlim_t octets) : ignored_(std::signal(SIGXFSZ, SIG_IGN)) {
    getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit small{octets, before_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &small);
  }
  ~SmallFiles() {
    setrlimit(RLIMIT_FSIZE, &before_);
    (void)std::signal(SIGXFSZ, ignored_);
  }
  SmallFiles(const SmallFiles&) = delete;
  SmallFiles& operator=(const SmallFiles&) = delete;

 private:
  void (*ignored_)(int);
  rlimit before_{};
};

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
  EXPECT_EQ(log.first("spool_recovered").at("queued"), 1);
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
  EXPECT_EQ(log.first("spool_recovered").at("removed"), 1);
}

TEST_F(RecoveryTest, LeavesHeldMailWhereItIs) {
  auto store = open();
  const auto held = accept(*store, at(1));
  unqueue(*store, held, at(1));
  write(*store, {place_of(Family::held, kQueue, at(1), held, {})});
  store.reset();
  store = open_repaired();
  EXPECT_TRUE(store->due(kQueue, std::nullopt, kEver, 10)->items.empty());
  EXPECT_EQ(store->list_places(Family::held, "", 10)->size(), 1U);
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
  EXPECT_EQ(store->list_places(Family::due, "", 10)->size(), 2U);
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
  EXPECT_EQ(store->list_places(Family::due, "", 10)->size(), 1U);
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

/// The table files of a spool that is closed, and in which of them `text` stands first, where.
std::optional<std::pair<std::string, std::size_t>> find_in_tables(
  const std::string& folder, const std::string& text
) {
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() != ".sst") continue;
    std::ifstream file(entry.path(), std::ios::binary);
    const std::string octets{std::istreambuf_iterator<char>(file), {}};
    if (const auto at = octets.find(text); at != std::string::npos)
      return std::pair{entry.path().string(), at};
  }
  return std::nullopt;
}

std::size_t copies_in(const std::string& folder) {
  std::size_t copies = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().filename().string().starts_with("aside-")) ++copies;
  }
  return copies;
}

TEST_F(RecoveryTest, DoesNotStartWithoutTheQueuesThatADamagedIndexHides) {
  auto store = open();
  const auto id = accept(*store, at(1));
  store->reclaim();  // into tables
  store.reset();
  const auto found = find_in_tables(folder.path("spool"), kQueue);
  ASSERT_TRUE(found);
  {
    std::fstream file(found->first, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(found->second));
    file.put('S');
  }
  const auto refused =
    Store::open({folder.path("spool"), [](const Error&) { return false; }, &log, &metrics});
  ASSERT_FALSE(refused) << "its mail would wait unseen";
  EXPECT_EQ(refused.error().code, Errc::storage_failed);
  store = open();
  EXPECT_EQ(metrics.total(metrics::Counter::spool_repairs), 1U);
  ASSERT_EQ(store->queues().value().size(), 1U);
  EXPECT_TRUE(store->envelope(id));
}

TEST_F(RecoveryTest, KeepsOneCopyOfARepairThatSeveralStartsNeed) {
  auto store = open();
  const auto id = accept(*store, at(1));
  store.reset();
  std::ofstream(folder.path("spool/walk-wanted")).put('\n');  // a start before this one got so far
  store = open_repaired();
  EXPECT_EQ(copies_in(folder.path("spool")), 0U);
  EXPECT_EQ(waiting(*store), std::vector{id});
  store.reset();
  std::ofstream(folder.path("spool/repair-wanted")).put('\n');
  store = open();
  EXPECT_EQ(copies_in(folder.path("spool")), 1U) << "the next damage is another one";
}

TEST_F(RecoveryTest, LeavesNoHalfOfACopyOnAFullDisk) {
  open().reset();
  std::ofstream(folder.path("spool/999999.log"), std::ios::binary) << std::string(2U << 20U, 'x');
  const SmallFiles small(1U << 20U);
  EXPECT_FALSE(copy_aside(folder.path("spool"), folder.path("spool/aside-1")));
  EXPECT_EQ(copies_in(folder.path("spool")), 0U);
}

}  // namespace
}  // namespace relay::spool
