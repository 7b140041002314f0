#pragma once
/// Log records without local parts.

#include "relay/base/log.hpp"
#include "relay/redaction/tokens.hpp"

namespace relay::redaction {

/// The same record with a token for each local part; domains stay. Null tokens: `~` alone.
///
/// - `sender`, `recipient`, `to`, `original_sender` and each of `recipients` and `original_recipients` are addresses; the null
///   path stays as it is.
/// - In all other texts whatever stands before an `@` counts as a local part, wherever it came from.
/// - In the words of peers (`reply`, `reason`, `last`, `error`) so does a word that is the local part of one of the
///   record's own addresses, in any case: peers write `user alice unknown`.
[[nodiscard]] log::Record redact(const log::Record& record, const Tokens* tokens);

}  // namespace relay::redaction
