#include "relay/spool/keys.hpp"

#include <array>

namespace relay::spool {
namespace {

constexpr std::array<std::string_view, static_cast<std::size_t>(Family::count)> kNames{
  "default", "incoming", "content", "envelope", "due", "result", "failed", "quarantine", "held", "signature"
};
constexpr std::size_t kIdOctets = 12;
constexpr std::size_t kIndexOctets = 4;
constexpr std::size_t kTimeOctets = 8;

}  // namespace

std::string_view name(Family family) { return kNames[static_cast<std::size_t>(family)]; }

std::string big_endian(std::uint64_t value, std::size_t octets) {
  std::string out(octets, '\0');
  for (std::size_t i = octets; i-- > 0; value >>= 8U) out[i] = static_cast<char>(value & 0xffU);
  return out;
}

std::uint64_t parse_big_endian(std::string_view octets) {
  std::uint64_t value = 0;
  for (const char octet : octets) value = value << 8U | static_cast<unsigned char>(octet);
  return value;
}

std::string id_key(const QueueId& id) { return big_endian(id.spool, 4) + big_endian(id.number, 8); }

std::optional<QueueId> parse_id_key(std::string_view key) {
  if (key.size() != kIdOctets) return std::nullopt;
  return QueueId{
    static_cast<std::uint32_t>(parse_big_endian(key.substr(0, 4))), parse_big_endian(key.substr(4))
  };
}

std::string indexed_key(const QueueId& id, std::uint32_t index) {
  return id_key(id) + big_endian(index, kIndexOctets);
}

std::optional<std::pair<QueueId, std::uint32_t>> parse_indexed_key(std::string_view key) {
  if (key.size() != kIdOctets + kIndexOctets) return std::nullopt;
  return std::pair{
    *parse_id_key(key.substr(0, kIdOctets)),
    static_cast<std::uint32_t>(parse_big_endian(key.substr(kIdOctets)))
  };
}

std::string due_prefix(std::string_view queue) { return std::string(queue) + '\0'; }

std::string due_key(std::string_view queue, WallTime due, const QueueId& id) {
  const auto at = static_cast<std::uint64_t>(std::max<std::int64_t>(due.time_since_epoch().count(), 0));
  return due_prefix(queue) + big_endian(at, kTimeOctets) + id_key(id);
}

std::optional<DueKey> parse_due_key(std::string_view key) {
  const auto end = key.find('\0');
  if (end == std::string_view::npos || key.size() != end + 1 + kTimeOctets + kIdOctets) return std::nullopt;
  const auto due = static_cast<std::int64_t>(parse_big_endian(key.substr(end + 1, kTimeOctets)));
  if (due < 0) return std::nullopt;
  return DueKey{
    std::string(key.substr(0, end)), WallTime{milliseconds{due}},
    *parse_id_key(key.substr(end + 1 + kTimeOctets))
  };
}

}  // namespace relay::spool
