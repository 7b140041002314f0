#include "relay/spool/log_checksum.hpp"

#include <gtest/gtest.h>
#include <string>

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

TEST(LogChecksum, IsWhatRocksDbCalls) { EXPECT_TRUE(is_log_summed_by_us()); }

}  // namespace
}  // namespace relay::spool
