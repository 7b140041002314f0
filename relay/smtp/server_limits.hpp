#pragma once
/// What a ServerSession serves, and how much of it.

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "relay/base/units.hpp"

namespace relay::smtp {

enum class BareLineEndings : std::uint8_t {
  normalize,  ///< in content they become CRLF; for lenient clients they also end commands
  reject,     ///< 550 5.5.2 and close, for all
};

struct ServerLimits {
  Octets max_message_size{25ULL << 20U};
  std::size_t max_recipients = 1000;  ///< RFC 5321 section 4.5.3.1.8: at least 100
  unsigned max_errors = 20;           ///< since the last accepted message; one more ends the session
  unsigned max_junk = 100;            ///< EHLO, NOOP, RSET, VRFY, HELP; each one more is an error
  /// Until a line begins, and from there to its end (RFC 5321 section 4.5.3.2.7).
  milliseconds idle_timeout = std::chrono::minutes{5};
  /// Octets a second of content, after idle_timeout of credit; between its chunks time runs on.
  std::uint32_t min_data_rate = 500;
  BareLineEndings bare_line_endings = BareLineEndings::normalize;
  /// Goes behind addresses of MAIL and RCPT without one, of clients that may relay; empty: such an address gets 501.
  std::string unqualified_domain{};
  std::shared_ptr<const std::vector<std::string>> bulk_headers{};  ///< as HeaderScan watches for; null: none
  bool has_tls = false;                                            ///< STARTTLS can be served
  bool needs_tls = false;          ///< mail in the clear gets 530 5.7.0 (RFC 3207 section 4)
  bool tls_first = false;          ///< TLS comes before the greeting (RFC 8314 section 3.3)
  bool has_auth = false;           ///< there are users: AUTH can be served
  bool auth_needs_tls = true;      ///< AUTH in the clear gets 538 5.7.11 (RFC 4954 section 6)
  bool needs_auth = false;         ///< mail without a login gets 530 5.7.0 (RFC 4954 section 6)
  unsigned max_failed_logins = 3;  ///< the last of them ends the connection with 421
};

}  // namespace relay::smtp
