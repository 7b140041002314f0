#pragma once
/// NAME      sasl -- the client's side of SMTP AUTH (RFC 4954) as challenge machines
/// USES      base
///
/// INVARIANT pure; secrets are in responses only, never in errors or logs
/// FAILURES  Errc::protocol_error (transient): the server asked for something the mechanism has no answer to

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "relay/base/result.hpp"

namespace relay::sasl {

struct Credentials {
  std::string user;
  std::string password;
  friend bool operator==(const Credentials&, const Credentials&) = default;
};

/// One exchange. Responses and challenges are the decoded octets; base64 is the caller's.
class Mechanism {
 public:
  virtual ~Mechanism() = default;
  [[nodiscard]] virtual std::string_view name() const = 0;
  /// What goes with the AUTH command (RFC 4954 section 4), or nothing to wait for the first challenge.
  [[nodiscard]] virtual std::string initial_response() = 0;
  [[nodiscard]] virtual Result<std::string> respond(std::string_view challenge) = 0;
};

/// The best mechanism that both sides have, best first: PLAIN (RFC 4616), LOGIN. Null when there is none.
/// @param offered  names as in the EHLO reply, any case
[[nodiscard]] std::unique_ptr<Mechanism> choose(
  const std::vector<std::string>& offered, const Credentials& credentials
);

}  // namespace relay::sasl
