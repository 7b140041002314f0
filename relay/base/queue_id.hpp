#pragma once
/// The name of one accepted message, unique over all spools and restarts, whatever the clock does.

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "relay/base/result.hpp"

namespace relay {

/// `spool` is drawn at random when a spool is created. `number` counts the messages of that spool: its upper
/// 24 bits count the process's starts (stored before the first message), its lower 40 bits the messages
/// since. So ids of one spool sort in order of arrival and none comes twice, even after a clock was set back.
struct QueueId {
  std::uint32_t spool = 0;
  std::uint64_t number = 0;

  /// 20 characters of RFC 4648's base32hex alphabet in lower case; sorts like the value.
  [[nodiscard]] std::string to_text() const;
  /// Errors: Errc::invalid_argument, permanent. Upper case is read too.
  [[nodiscard]] static Result<QueueId> parse(std::string_view text);
  friend auto operator<=>(const QueueId&, const QueueId&) = default;
};

}  // namespace relay
