#include "relay/spool/log_checksum.hpp"

#include <dlfcn.h>
#include <gtest/gtest.h>
#include <string>

#include "relay/spool/database.hpp"
#include "tests/support/folder.hpp"
#include "tests/support/quiet_log.hpp"

namespace relay::spool {
namespace {

std::uint32_t sum(const std::string& octets) {
  return rocksdb::crc32c::Extend(0, octets.data(), octets.size());
}

TEST(LogChecksum, IsThatOfRfc3720) {
  EXPECT_EQ(sum(std::string(32, '\0')), 0x8a9136aaU);
  EXPECT_EQ(sum(std::string(32, '\xff')), 0x62a8ab43U);
  std::string ascending(32, '\0');
  for (std::size_t i = 0; i < ascending.size(); ++i) ascending[i] = static_cast<char>(i);
  EXPECT_EQ(sum(ascending), 0x46dd794eU);
  EXPECT_EQ(sum("123456789"), 0xe3069283U);
  EXPECT_EQ(sum(""), 0U);
}

TEST(LogChecksum, OfAWholeIsThatOfItsPartsAtEverySplit) {
  std::string octets(1000, '\0');
  for (std::size_t i = 0; i < octets.size(); ++i) octets[i] = static_cast<char>(i * 7);
  const auto whole = sum(octets);
  for (std::size_t at = 0; at <= octets.size(); ++at) {
    const auto first = sum(octets.substr(0, at));
    EXPECT_EQ(rocksdb::crc32c::Extend(first, octets.data() + at, octets.size() - at), whole) << at;
  }
}

/// RocksDB's own, whose definition stands behind the program's.
auto* const theirs = reinterpret_cast<std::uint32_t (*)(std::uint32_t, const char*, std::size_t)>(
  dlsym(RTLD_NEXT, "_ZN7rocksdb6crc32c6ExtendEjPKcm")
);

TEST(LogChecksum, IsThatOfRocksDbItselfWhateverTheLength) {
  ASSERT_NE(theirs, nullptr);
  std::string octets(std::size_t{1} << 20U, '\0');
  for (std::size_t i = 0; i < octets.size(); ++i) octets[i] = static_cast<char>(i * i >> 3U);
  for (const std::size_t size : {63U, 64U, 127U, 1023U, 1024U, 4099U, 32768U, 65535U, 262144U, 1048571U}) {
    for (const std::size_t offset : {0U, 1U, 5U}) {
      const auto* begin = octets.data() + offset;
      EXPECT_EQ(rocksdb::crc32c::Extend(7, begin, size), theirs(7, begin, size)) << size << " " << offset;
    }
  }
}

TEST(LogChecksum, IsWhatRocksDbCallsForItsLog) {
  const relay::test::Folder folder;
  relay::test::QuietLog log;
  const auto opened = open_database(folder.path("spool"), Recovery::strict, &log);
  ASSERT_TRUE(opened);
  EXPECT_TRUE(log.records("spool_sums_slowly").empty());
  const auto before = sums_made();
  ASSERT_TRUE(opened->db->Put({}, "key", "value").ok());
  EXPECT_GT(sums_made(), before);
}

}  // namespace
}  // namespace relay::spool
