/// Files of a spool that are damaged while nobody has it open.

#include <algorithm>
#include <fcntl.h>
#include <filesystem>
#include <gmock/gmock.h>
#include <sys/file.h>
#include <unistd.h>

#include "relay/spool/log_records.hpp"
#include "tests/unit/relay/spool/store_fixture.hpp"

namespace relay::spool {
namespace {

namespace fs = std::filesystem;

class OpeningTest : public StoreTest {
 protected:
  [[nodiscard]] std::vector<fs::path> files_with(const std::string& begin, const std::string& extension)
    const {
    std::vector<fs::path> found;
    for (const auto& entry : fs::directory_iterator(folder.path("spool"))) {
      const bool fits = entry.path().filename().string().starts_with(begin);
      if (fits && entry.path().extension() == extension && entry.file_size() > 0)
        found.push_back(entry.path());
    }
    return found;
  }
  [[nodiscard]] fs::path log_file() const {
    const auto logs = files_with("", ".log");
    EXPECT_EQ(logs.size(), 1U);
    return logs.front();
  }
  static std::string read(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  }
  static void write_file(const fs::path& path, const std::string& octets) {
    std::ofstream(path, std::ios::binary | std::ios::trunc) << octets;
  }
  static std::vector<std::string> records_of(const std::string& log) {
    std::vector<std::string> records;
    for_each_log_record(log, [&](std::string record) { records.push_back(std::move(record)); });
    return records;
  }
  /// Whether `some` are among `all`, in the same order.
  static bool are_some_of(const std::vector<std::string>& some, const std::vector<std::string>& all) {
    auto at = all.begin();
    return std::all_of(some.begin(), some.end(), [&](const std::string& one) {
      at = std::find(at, all.end(), one);
      return at != all.end() && at++ != all.end();
    });
  }
  /// Its content is there, chunk by chunk.
  static void expect_whole(const Store& store, const QueueId& id) {
    const auto stored = store.envelope(id);
    ASSERT_TRUE(stored);
    for (std::uint32_t i = 0; i < stored->chunks; ++i) EXPECT_TRUE(store.chunk(id, i));
  }
};

TEST_F(OpeningTest, ReadsAndWritesTheLogAsRocksDbDoes) {
  auto store = open();
  for (int i = 0; i < 50; ++i) accept(*store, at(i), i % 5 == 0 ? 40 : 2);
  store.reset();
  const auto log = read(log_file());
  ASSERT_GT(log.size(), 400'000U) << "records of several blocks";
  EXPECT_EQ(records_of(log).size(), 51U) << "and the count of the start";
  EXPECT_EQ(mended_log(log), log);
  EXPECT_FALSE(has_damage_within(log));
}

TEST_F(OpeningTest, LosesTheRecordThatIsDamagedAloneWhereverItIsCase103) {
  auto store = open();
  for (int i = 0; i < 20; ++i) accept(*store, at(i), i % 5 == 0 ? 40 : 2);
  store.reset();
  const auto log = read(log_file());
  const auto all = records_of(log);
  for (std::size_t place = 0; place < log.size(); place += 997) {
    auto damaged = log;
    damaged[place] = static_cast<char>(damaged[place] ^ 0x10);
    const auto left = records_of(damaged);
    // A wrong length hides what else stands in its block.
    EXPECT_GE(left.size() + 16, all.size()) << place;
    EXPECT_TRUE(are_some_of(left, all)) << place;
    EXPECT_EQ(records_of(mended_log(damaged)), left);
    constexpr std::size_t kBlock = 32768, kFilling = 6;
    const bool is_in_filling = place % kBlock >= kBlock - kFilling;
    EXPECT_TRUE(has_damage_within(damaged) || is_in_filling || place + kBlock > log.size()) << place;
    EXPECT_FALSE(has_damage_within(log.substr(0, place))) << place;
    const auto begin = records_of(log.substr(0, place));
    EXPECT_TRUE(std::equal(begin.begin(), begin.end(), all.begin())) << place;
  }
}

/// What is left of it must not be put together to a record that nobody wrote.
TEST_F(OpeningTest, LosesARecordOneOfWhoseBlocksIsZeroedCase103) {
  auto store = open();
  accept(*store, at(1), 100);
  accept(*store, at(2), 2);
  store.reset();
  auto log = read(log_file());
  const auto all = records_of(log);
  constexpr std::size_t kType = 6, kMiddle = 3;
  const auto middle = 2 * kLogBlock;
  ASSERT_EQ(static_cast<std::size_t>(log.at(middle + kType)), kMiddle);
  log.replace(middle, kLogBlock, kLogBlock, '\0');
  EXPECT_EQ(records_of(log).size(), all.size() - 1);
  EXPECT_TRUE(are_some_of(records_of(log), all));
  EXPECT_TRUE(has_damage_within(log));
  EXPECT_FALSE(has_damage_within(log.substr(0, middle + kLogBlock))) << "nothing stands behind it";
}

/// RocksDB 7.8 took the whole log for damaged where the next record has several blocks too, and its repair dropped it.
TEST_F(OpeningTest, KeepsAllOthersWhereARecordOfSeveralBlocksIsDamagedCase103) {
  auto store = open();
  std::vector<QueueId> ids;
  for (int i = 0; i < 30; ++i) ids.push_back(accept(*store, at(i), i < 2 ? 100 : 2));
  store.reset();
  auto log = read(log_file());
  const auto middle = log.find(std::string(500, static_cast<char>('a' + 70))
  );  // of the first message's content, two blocks behind its begin
  ASSERT_NE(middle, std::string::npos);
  log[middle] = '!';
  write_file(log_file(), log);
  store = open();
  EXPECT_EQ(metrics.total(metrics::Counter::spool_repairs), 1U);
  EXPECT_EQ(waiting(*store), std::vector<QueueId>(ids.begin() + 1, ids.end()));
  for (const auto& id : waiting(*store)) expect_whole(*store, id);
}

TEST_F(OpeningTest, KeepsWhatIsInTheLogAloneWhereATableIsDamagedCase103) {
  auto store = open();
  const auto in_tables = accept(*store, at(1));
  const auto delivered = accept(*store, at(2));
  store.reset();
  store = open();  // what it reads of the log goes to tables
  const auto in_log = accept(*store, at(3), 100);
  unqueue(*store, delivered, at(2));
  write(
    *store, {remove(Family::envelope, id_key(delivered)), remove(Family::content, indexed_key(delivered, 0))}
  );
  const auto spool = in_log.spool;
  store.reset();
  for (const auto& table : files_with("", ".sst")) fs::resize_file(table, fs::file_size(table) / 2);
  store = open();
  EXPECT_EQ(waiting(*store), std::vector{in_log}) << "what stood in tables alone is in the copy";
  expect_whole(*store, in_log);
  EXPECT_GT(store->next_id().number, in_log.number);
  EXPECT_EQ(in_tables.spool, spool);
  EXPECT_FALSE(fs::exists(folder.path("spool/replay")));
  store.reset();
  store = open();
  EXPECT_EQ(metrics.total(metrics::Counter::spool_repairs), 1U) << "it is whole again";
  EXPECT_EQ(waiting(*store), std::vector{in_log});
}

TEST_F(OpeningTest, AppliesALogOnceThoughATableHasPartOfItCase103) {
  auto store = open();
  const auto first = accept(*store, at(1));
  const auto second = accept(*store, at(2));
  const auto third = accept(*store, at(3));
  unqueue(*store, second, at(2));
  const auto log = read(log_file());
  store.reset();
  store = open();
  store.reset();
  // As behind a crash in the middle of a repair: the tables have it all by now.
  fs::create_directory(folder.path("spool/replay"));
  write_file(folder.path("spool/replay/000004.log"), log);
  store = open();
  EXPECT_THAT(waiting(*store), ::testing::IsSupersetOf({first, third}));
  unqueue(*store, first, at(1));
  store->reclaim();
  EXPECT_THAT(waiting(*store), ::testing::Not(::testing::Contains(first))) << "it was there once";
  EXPECT_FALSE(fs::exists(folder.path("spool/replay")));
}

/// RocksDB took the rest of the list for all of it, and removed the tables that it did not name.
TEST_F(OpeningTest, NoticesAListOfTablesThatIsCutAtAnyLengthCase103) {
  auto store = open();
  const auto first = accept(*store, at(1));
  const auto second = accept(*store, at(2), 5);
  store.reset();
  store = open();
  store.reset();
  const auto whole = folder.path("whole");
  fs::copy(folder.path("spool"), whole, fs::copy_options::recursive);
  const auto list = files_with("MANIFEST", "").front();
  const auto size = fs::file_size(list);
  ASSERT_GT(size, 500U);
  for (std::uintmax_t length = 0; length < size; length += 83) {
    fs::remove_all(folder.path("spool"));
    fs::copy(whole, folder.path("spool"), fs::copy_options::recursive);
    fs::resize_file(list, length);
    store = open();
    EXPECT_EQ(waiting(*store), (std::vector{first, second})) << length;
    expect_whole(*store, second);
    store.reset();
  }
}

/// A length that leads beyond the end looked as if the rest had not been written.
TEST_F(OpeningTest, NoticesAWrongLengthWithinTheListOfTablesCase103) {
  auto store = open();
  const auto id = accept(*store, at(1), 5);
  store.reset();
  store = open();
  store.reset();
  const auto whole = folder.path("whole");
  fs::copy(folder.path("spool"), whole, fs::copy_options::recursive);
  const auto list = files_with("MANIFEST", "").front();
  const auto octets = read(list);
  std::size_t records = 0;
  for (std::size_t record = 0; record < octets.size(); ++records) {
    auto damaged = octets;
    damaged[record + 5] =
      static_cast<char>(damaged[record + 5] ^ 0x10);  // 4,096 more, of its two octets the second
    fs::remove_all(folder.path("spool"));
    fs::copy(whole, folder.path("spool"), fs::copy_options::recursive);
    write_file(list, damaged);
    store = open();
    EXPECT_EQ(waiting(*store), std::vector{id}) << record;
    store.reset();
    record += 7 + static_cast<std::uint8_t>(octets[record + 4]) +
              256U * static_cast<std::uint8_t>(octets[record + 5]);
  }
  EXPECT_GT(records, 10U);
}

TEST_F(OpeningTest, FindsItsTablesWhereWhatLeadsToTheirListIsDamagedCase103) {
  auto store = open();
  const auto id = accept(*store, at(1));
  store.reset();
  const auto whole = folder.path("whole");
  fs::copy(folder.path("spool"), whole, fs::copy_options::recursive);
  for (const auto* name : {"MANIFEST-000999\n", "MANIFEST-000999", "", "nonsense\n", "gone"}) {
    fs::remove_all(folder.path("spool"));
    fs::copy(whole, folder.path("spool"), fs::copy_options::recursive);
    if (std::string(name) == "gone")
      fs::remove(folder.path("spool/CURRENT"));  // RocksDB would make a new spool
    else write_file(folder.path("spool/CURRENT"), name);
    store = open();
    EXPECT_EQ(waiting(*store), std::vector{id}) << name;
    store.reset();
  }
}

/// As one of the version before has none.
TEST_F(OpeningTest, FindsItsTablesWithoutCurrentAndWithoutANoteCase103) {
  auto store = open();
  const auto id = accept(*store, at(1));
  store.reset();
  fs::remove(folder.path("spool/CURRENT"));
  fs::remove(folder.path("spool/manifest-seen"));
  store = open();
  EXPECT_EQ(waiting(*store), std::vector{id});
}

TEST_F(OpeningTest, DoesNotRepairWhatCannotBeReadOrWhatItsNoteAloneHasLostCase103) {
  auto store = open();
  const auto id = accept(*store, at(1));
  store.reset();
  auto note = read(folder.path("spool/manifest-seen"));
  note[note.find(' ') + 1] ^= 1;
  write_file(folder.path("spool/manifest-seen"), note);
  store = open();
  EXPECT_EQ(waiting(*store), std::vector{id});
  store.reset();
  fs::rename(folder.path("spool/CURRENT"), folder.path("CURRENT"));
  fs::create_directory(folder.path("spool/CURRENT"));  // which no read succeeds of
  EXPECT_FALSE(Store::open({folder.path("spool"), {}, &log, &metrics}));
  fs::remove(folder.path("spool/CURRENT"));
  fs::rename(folder.path("CURRENT"), folder.path("spool/CURRENT"));
  store = open();
  EXPECT_EQ(waiting(*store), std::vector{id});
  EXPECT_EQ(metrics.total(metrics::Counter::spool_repairs), 0U);
}

/// Of a repair some steps change files while nobody has RocksDB's lock.
TEST_F(OpeningTest, LeavesADamagedSpoolToWhoIsAtItCase103) {
  auto store = open();
  const auto id = accept(*store, at(1));
  store.reset();
  write_file(folder.path("spool/CURRENT"), "");
  const int other = ::open(folder.path("spool").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  ASSERT_EQ(flock(other, LOCK_EX), 0);
  int waits = 0;
  const auto let_go_at_last = [&](const Error& why) {
    EXPECT_EQ(why.code, Errc::conflict);
    EXPECT_EQ(metrics.total(metrics::Counter::spool_repairs), 0U);
    if (++waits == 3) {
      EXPECT_EQ(close(other), 0);
    }
    return true;
  };
  const auto opened = Store::open({folder.path("spool"), let_go_at_last, &log, &metrics});
  ASSERT_TRUE(opened);
  EXPECT_EQ(waits, 3);
  EXPECT_EQ(waiting(**opened), std::vector{id});
}

}  // namespace
}  // namespace relay::spool
