#pragma once
/// SCRAM-SHA-256 (RFC 5802, RFC 7677) as a client, without channel binding. The password never leaves, and the server
/// proves that it knows it too.

#include "relay/sasl/mechanism.hpp"

namespace relay::sasl {

/// @param nonce  as choose()
/// Errors: invalid_argument when there is no usable nonce, or user or password holds a control character.
[[nodiscard]] Result<std::unique_ptr<Mechanism>> make_scram_sha_256(
  const Credentials& credentials, std::string_view nonce
);

/// SASLprep (RFC 4013) in so far as it is needed: printable ASCII is its own, and what is beyond ASCII goes as it was
/// written, which is right for all that is normalised (NFKC) already. Errors: invalid_argument for control characters.
[[nodiscard]] Result<std::string> prepare(std::string_view text);

}  // namespace relay::sasl
