#include "relay/spool/log_records.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include "relay/spool/log_checksum.hpp"

namespace relay::spool {
namespace {

constexpr std::size_t kBlock = 32U << 10U;
/// Of a fragment: checksum (4 octets), length (2), both least significant first, and type (1).
constexpr std::size_t kHead = 7;
constexpr std::size_t kSum = 4;

/// A record is one fragment, or several that each stand in a block of their own. A type of none fills what is left of a block.
enum Type : std::uint8_t { none, full, first, middle, last };

std::uint32_t little_endian(std::string_view octets) {
  std::uint32_t value = 0;
  for (auto at = octets.rbegin(); at != octets.rend(); ++at)
    value = value << 8U | static_cast<std::uint8_t>(*at);
  return value;
}

void put_little_endian(std::string& out, std::uint32_t value, std::size_t octets) {
  for (std::size_t i = 0; i < octets; ++i) out += static_cast<char>(value >> (8 * i) & 0xffU);
}

/// Of type and payload, as a log has it: turned, since a checksum of what holds checksums is none to speak of.
std::uint32_t sum_of(std::string_view octets) {
  const auto sum = rocksdb::crc32c::Extend(0, octets.data(), octets.size());
  return (sum >> 15U | sum << 17U) + 0xa282ead8U;
}

/// Puts records together of their fragments.
class Assembly {
 public:
  explicit Assembly(const std::function<void(std::string)>& visit) : visit_(visit) {}

  void take(std::uint8_t type, std::string_view payload) {
    auto begun = std::exchange(begun_, std::nullopt);
    if (type == full) visit_(std::string(payload));
    else if (type == first) begun_ = std::string(payload);
    else if (begun && (type == middle || type == last)) begun->append(payload);
    if (begun && type == middle) begun_ = std::move(begun);
    if (begun && type == last) visit_(std::move(*begun));
  }
  /// Something is missing here.
  void interrupt() { begun_.reset(); }

 private:
  const std::function<void(std::string)>& visit_;
  std::optional<std::string> begun_;
};

void read_block(std::string_view block, Assembly& assembly) {
  while (block.size() >= kHead) {
    const auto length = little_endian(block.substr(kSum, 2));
    const auto type = static_cast<std::uint8_t>(block[kHead - 1]);
    if (type == none && length == 0) return;
    if (kHead + length > block.size()) return assembly.interrupt();
    // Where the length itself is wrong, so are the sums of what seems to stand behind it.
    if (sum_of(block.substr(kHead - 1, 1 + length)) == little_endian(block.substr(0, kSum)))
      assembly.take(type, block.substr(kHead, length));
    else assembly.interrupt();
    block.remove_prefix(kHead + length);
  }
}

void write_record(std::string_view record, std::string& log) {
  bool is_begun = false;
  do {
    const auto left = kBlock - log.size() % kBlock;
    if (left < kHead) log.append(left, '\0');
    const auto room = kBlock - log.size() % kBlock - kHead;
    const auto payload = record.substr(0, room);
    record.remove_prefix(payload.size());
    const bool is_end = record.empty();
    const auto type = is_begun ? (is_end ? last : middle) : (is_end ? full : first);
    std::string summed(1, static_cast<char>(type));
    summed += payload;
    put_little_endian(log, sum_of(summed), kSum);
    put_little_endian(log, static_cast<std::uint32_t>(payload.size()), 2);
    log += summed;
    is_begun = true;
  } while (!record.empty());
}

}  // namespace

void for_each_log_record(std::string_view log, const std::function<void(std::string record)>& visit) {
  Assembly assembly(visit);
  for (std::size_t at = 0; at < log.size(); at += kBlock) read_block(log.substr(at, kBlock), assembly);
}

std::string mended_log(std::string_view log) {
  std::string mended;
  mended.reserve(log.size());
  for_each_log_record(log, [&](const std::string& record) { write_record(record, mended); });
  return mended;
}

}  // namespace relay::spool
