#pragma once
/// NAME      spool -- accepted messages on disk, in RocksDB with group commit (docs/spool.md)
/// USES      mail, route, queue, metrics, base
/// INVARIANT a record that does not verify is never given out; every key but the counters is put once and
///           deleted once
/// FAILURES  storage_full (transient), storage_failed (terminal: final until restart), corrupt (the message
///           is quarantined), not_found
/// LIMITS    memory: write buffers and cache of fixed size, never the queue

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "relay/base/clock.hpp"
#include "relay/base/queue_id.hpp"

namespace relay::spool {

/// The part of a queue id's number that counts the messages since a start; above it stand the starts.
inline constexpr unsigned kSequenceBits = 40;

/// The column families, by the names that docs/spool.md gives them; `meta` is RocksDB's `default`.
enum class Family : std::uint8_t {
  meta,
  incoming,
  content,
  envelope,
  due,
  result,
  failed,
  quarantine,
  held,
  signature,
  count
};
[[nodiscard]] std::string_view name(Family family);

/// Keys as docs/spool.md lays them out. Parsers return nothing for keys of another length or form.
[[nodiscard]] std::string id_key(const QueueId& id);
[[nodiscard]] std::optional<QueueId> parse_id_key(std::string_view key);
/// `content` and `result`: an id and a chunk's or recipient's index.
[[nodiscard]] std::string indexed_key(const QueueId& id, std::uint32_t index);
[[nodiscard]] std::optional<std::pair<QueueId, std::uint32_t>> parse_indexed_key(std::string_view key);

/// Of `due` and of `held`.
struct DueKey {
  std::string queue;  ///< queue::QueueName as a key, without NUL
  WallTime due{};
  QueueId id;
};
[[nodiscard]] std::string due_key(std::string_view queue, WallTime due, const QueueId& id);
/// What all due keys of a queue start with.
[[nodiscard]] std::string due_prefix(std::string_view queue);
[[nodiscard]] std::optional<DueKey> parse_due_key(std::string_view key);

/// A number as octets, most significant first.
[[nodiscard]] std::string big_endian(std::uint64_t value, std::size_t octets);
[[nodiscard]] std::uint64_t parse_big_endian(std::string_view octets);

}  // namespace relay::spool
