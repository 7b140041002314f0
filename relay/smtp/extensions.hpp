#pragma once
/// What a client is told that says who it is.

#include <string_view>

#include "relay/base/units.hpp"
#include "relay/smtp/reply.hpp"

namespace relay::smtp {

/// Service extensions that are not offered to everybody at all times.
struct Extensions {
  Octets max_message_size;  ///< SIZE
  bool starttls = false;
  bool requiretls = false;
  bool auth = false;  ///< with all mechanisms of sasl::kServerMechanisms
};

[[nodiscard]] Reply helo_reply(std::string_view hostname);
/// With a line for each keyword (RFC 5321 section 4.1.1.1).
[[nodiscard]] Reply ehlo_reply(std::string_view hostname, const Extensions& extensions);

}  // namespace relay::smtp
