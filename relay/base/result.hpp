#pragma once
/// NAME      base -- vocabulary shared by both programs: results, units, addresses, time, log records
/// USES      nothing of this project
///
/// INVARIANT pure: no sockets, no files, no threads, no clock; all functions are safe from any thread
/// FAILURES  values of type Error; each says what will become of it (Fate) and carries the cause for the log

#include <cstdint>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

namespace relay {

/// What happens next to the thing that failed.
enum class Fate : std::uint8_t {
  transient,  ///< may succeed when tried again: SMTP 4yz, requeue with back-off
  permanent,  ///< will not succeed unchanged: SMTP 5yz, report to whoever asked
  terminal,   ///< the component itself can't go on until a person or a restart mends it
};

enum class Errc : std::uint8_t {
  invalid_argument,  ///< input that no retry makes valid
  not_found,
  too_large,
  timed_out,
  connection_failed,
  connection_lost,
  name_not_found,  ///< DNS says that the name or its addresses do not exist
  tls_failed,      ///< handshake, certificate or name check
  not_permitted,   ///< refused by policy, RBAC or credentials
  protocol_error,  ///< the peer broke its protocol
  storage_full,    ///< ENOSPC, EDQUOT, or our own admission limit
  storage_failed,  ///< EIO, EROFS, a failed sync: final until restart
  corrupt,         ///< a checksum or a length does not hold
  conflict,        ///< somebody else changed or holds it
  cancelled,       ///< we are stopping
  unavailable,     ///< a service said "not now"
};

[[nodiscard]] std::string_view name(Errc code);
[[nodiscard]] std::string_view name(Fate fate);

/// A failure as a value. `context` is for logs and operators: it never reaches an SMTP peer and never holds a
/// secret.
struct Error {
  Errc code{};
  Fate fate = Fate::transient;
  std::string context;

  /// "context (code)", for logs.
  [[nodiscard]] std::string message() const;
};

template <class T>
using Result = tl::expected<T, Error>;

[[nodiscard]] inline tl::unexpected<Error> failure(Errc code, Fate fate, std::string context) {
  return tl::unexpected<Error>(Error{code, fate, std::move(context)});
}
[[nodiscard]] inline tl::unexpected<Error> transient(Errc code, std::string context) {
  return failure(code, Fate::transient, std::move(context));
}
[[nodiscard]] inline tl::unexpected<Error> permanent(Errc code, std::string context) {
  return failure(code, Fate::permanent, std::move(context));
}

}  // namespace relay
