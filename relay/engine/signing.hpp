#pragma once
/// DKIM signatures of messages at their first attempt.

#include "relay/engine/dispatcher.hpp"

namespace relay::engine {

/// Makes the attempt's signature, unless it has one. Signs what is sent: the content without our own header.
/// Reads the content and takes milliseconds: on a worker. What cannot be signed (its header is too large) goes
/// unsigned, and the log says so.
/// Errors: as Store::chunk(); unavailable (transient), when libcrypto fails.
[[nodiscard]] Result<void> sign(const Context& context, Dispatched& dispatched);

}  // namespace relay::engine
