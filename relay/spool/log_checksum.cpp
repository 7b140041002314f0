#include "relay/spool/log_checksum.hpp"

#include <algorithm>
#include <dlfcn.h>
#include <isa-l/crc.h>

namespace rocksdb::crc32c {

std::uint32_t Extend(std::uint32_t crc, const char* octets, std::size_t size) {
  constexpr std::size_t kMost = 1U << 30U;  // the library counts in int
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

bool is_log_summed_by_us() {
  // What the dynamic linker finds first it gives to RocksDB too.
  return dlsym(RTLD_DEFAULT, "_ZN7rocksdb6crc32c6ExtendEjPKcm") ==
         reinterpret_cast<void*>(&rocksdb::crc32c::Extend);
}

}  // namespace relay::spool
