#pragma once
/// Messages that the relay writes itself: reports.

#include "relay/engine/context.hpp"
#include "relay/engine/places.hpp"

namespace relay::engine {

struct OwnMessage {
  Accepted message;              ///< to announce before its operations are written, to accept behind
  spool::Operations operations;  ///< all that makes it durable
};

/// Which way a message of our own goes.
enum class Way : std::uint8_t {
  usual,
  report,  ///< by MX in spite of TLS that fails: route::report_destination()
};

/// The mode of the relay counts for it as for all mail: it may stand on hold from the start, or go elsewhere.
/// @param envelope  its size is filled in
/// @param content   CRLF lines
/// @param due       when it is first tried
[[nodiscard]] OwnMessage own_message(
  const Context& context, const QueueId& id, mail::Envelope envelope, std::string content, WallTime due,
  Way way = Way::usual
);

}  // namespace relay::engine
