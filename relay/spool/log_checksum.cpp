#include "relay/spool/log_checksum.hpp"

#include <algorithm>
#include <atomic>
#include <isa-l/crc.h>

namespace {
std::atomic<std::uint64_t> sums{0};
}

namespace rocksdb::crc32c {

std::uint32_t Extend(std::uint32_t crc, const char* octets, std::size_t size) {
  constexpr std::size_t kMost = 1U << 30U;  // the library counts in int
  sums.fetch_add(1, std::memory_order_relaxed);
  // Its sums lack the inversion before and behind.
  crc = ~crc;
  while (size > 0) {
    const auto some = std::min(size, kMost);
    // It reads alone, though its declaration does not say so.
    auto* const begin = reinterpret_cast<unsigned char*>(const_cast<char*>(octets));
    crc = crc32_iscsi(begin, static_cast<int>(some), crc);
    octets += some;
    size -= some;
  }
  return ~crc;
}

}  // namespace rocksdb::crc32c

namespace relay::spool {

std::uint64_t sums_made() { return sums.load(std::memory_order_relaxed); }

}  // namespace relay::spool
