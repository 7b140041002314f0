#include "relay/spool/log_records.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include "relay/spool/log_checksum.hpp"

namespace relay::spool {
namespace {

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

/// What the head says; of damage anything.
struct Fragment {
  std::size_t length;  ///< of the payload
  std::uint8_t type;
  bool fits;      ///< into what is left of its block
  bool verifies;  ///< its checksum holds
};

/// @param rest  of a block, kHead octets at least
Fragment fragment_at(std::string_view rest) {
  const std::size_t length = little_endian(rest.substr(kSum, 2));
  const auto type = static_cast<std::uint8_t>(rest[kHead - 1]);
  const bool fits = kHead + length <= rest.size();
  const bool verifies =
    fits && sum_of(rest.substr(kHead - 1, 1 + length)) == little_endian(rest.substr(0, kSum));
  return {length, type, fits, verifies};
}

bool is_filling(const Fragment& fragment) { return fragment.type == none && fragment.length == 0; }

void read_block(std::string_view block, Assembly& assembly) {
  while (block.size() >= kHead) {
    const auto fragment = fragment_at(block);
    // Those seven octets and more of nothing were something else: what fills a block for want of room is shorter than a head.
    if (is_filling(fragment) || !fragment.fits) return assembly.interrupt();
    // Where the length itself is wrong, so are the sums of what seems to stand behind it.
    if (fragment.verifies) assembly.take(fragment.type, block.substr(kHead, fragment.length));
    else assembly.interrupt();
    block.remove_prefix(kHead + fragment.length);
  }
}

/// Where the first fragment stands that does not verify, or is not there; the block's size where all do.
std::size_t first_damage(std::string_view block) {
  std::size_t at = 0;
  while (at + kHead <= block.size()) {
    const auto fragment = fragment_at(block.substr(at));
    if (is_filling(fragment) || !fragment.verifies) return at;
    at += kHead + fragment.length;
  }
  // A block that is not the log's last has less than a head of filling here; the last one may have been cut there.
  return block.size();
}

/// From an octet of a damaged block on.
bool has_whole_fragment(std::string_view block, std::size_t from) {
  for (auto at = from; at + kHead < block.size(); ++at) {
    const auto rest = block.substr(at);
    const bool may_be_one = rest[kHead - 1] >= full && rest[kHead - 1] <= last;
    if (!may_be_one) continue;
    const auto fragment = fragment_at(rest);
    if (fragment.length > 0 && fragment.verifies) return true;
  }
  return false;
}

void write_record(std::string_view record, std::string& log) {
  bool is_begun = false;
  do {
    const auto left = kLogBlock - log.size() % kLogBlock;
    if (left < kHead) log.append(left, '\0');
    const auto room = kLogBlock - log.size() % kLogBlock - kHead;
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
  for (std::size_t at = 0; at < log.size(); at += kLogBlock) read_block(log.substr(at, kLogBlock), assembly);
}

std::string mended_log(std::string_view log) {
  std::string mended;
  mended.reserve(log.size());
  for_each_log_record(log, [&](const std::string& record) { write_record(record, mended); });
  return mended;
}

void DamageSearch::read(std::string_view block) {
  std::size_t from = 0;
  if (!is_damaged_) {
    const auto damage = first_damage(block);
    if (damage == block.size()) return;
    is_damaged_ = true;
    from = damage + 1;
  }
  if (!has_found_) has_found_ = has_whole_fragment(block, from);
}

bool has_damage_within(std::string_view log) {
  DamageSearch search;
  for (std::size_t at = 0; at < log.size(); at += kLogBlock) search.read(log.substr(at, kLogBlock));
  return search.has_found();
}

}  // namespace relay::spool
