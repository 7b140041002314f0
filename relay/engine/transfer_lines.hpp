#pragma once
/// One message of an import, as its lines come: pure.

#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <string_view>

#include "relay/queue/queue_name.hpp"
#include "relay/spool/record.hpp"

namespace relay::engine {

struct IncomingMessage {
  std::string from;  ///< its queue id there
  QueueId id;        ///< here
  queue::Lane lane = queue::Lane::normal;
  bool is_dead_letter = false;
  spool::StoredEnvelope stored;  ///< `chunks` counts those that came
  std::map<std::uint32_t, spool::Settled> results;
  std::set<std::uint32_t> held;  ///< recipients that were on hold there

  std::uint64_t octets = 0;         ///< of content that came
  bool ends_in_cr = false;          ///< the content so far
  bool ends_a_line = true;          ///< the content so far
  bool is_marked = false;           ///< chunks of it are in the spool, `incoming` says so
  std::uint32_t chunks_before = 0;  ///< chunks that are in the spool

  /// The content of the next chunk. Errors: invalid_argument (out of order, damaged, line ends other than CRLF: they
  /// could carry a second message to a next hop).
  [[nodiscard]] Result<std::string> take_chunk(const nlohmann::ordered_json& line);
  /// Errors: invalid_argument (content is missing).
  [[nodiscard]] Result<void> check_whole() const;
};

/// A line without its end. Errors: invalid_argument (no JSON object, or one that is nested too deep).
[[nodiscard]] Result<nlohmann::ordered_json> parse_line(std::string_view line);

/// Errors: invalid_argument.
[[nodiscard]] Result<IncomingMessage> parse_head(const nlohmann::ordered_json& head);

[[nodiscard]] std::uint32_t crc32(std::string_view octets);

}  // namespace relay::engine
