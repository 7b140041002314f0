#pragma once

#include <cstddef>
#include <cstdint>

namespace rocksdb::crc32c {

/// The CRC-32C (RFC 3720 appendix B.4) of what had `crc`, continued by `size` octets; 0 for nothing. RocksDB's own
/// function, as its library declares it: the program's definition takes its place, also for the library itself, so that
/// the write-ahead log is summed by the processor's instruction, without which Debian builds RocksDB (decision 0105).
/// The sums are the same ones. Any thread.
std::uint32_t Extend(std::uint32_t crc, const char* octets, std::size_t size);

}  // namespace rocksdb::crc32c

namespace relay::spool {

/// How often the function above was called. Where it stays the same while RocksDB writes its log, RocksDB sums as it was built
/// to, which is right but slow. Any thread.
std::uint64_t sums_made();

}  // namespace relay::spool
