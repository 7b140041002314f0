#pragma once
/// Messages that the relay writes itself: reports.

#include "relay/engine/context.hpp"
#include "relay/engine/places.hpp"

namespace relay::engine {

struct OwnMessage {
  Accepted message;              ///< to announce before its operations are written, to accept behind
  spool::Operations operations;  ///< all that makes it durable
};

/// @param envelope  its size is filled in
/// @param content   CRLF lines
/// @param due       when it is first tried
[[nodiscard]] OwnMessage own_message(
  const Context& context, const QueueId& id, mail::Envelope envelope, std::string content, WallTime due
);

}  // namespace relay::engine
