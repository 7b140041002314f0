#pragma once
/// `relayctl explain`: what the rules of a settings file say of mail, one that is described or those of a log.

#include <cstdint>
#include <iosfwd>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "relay/base/result.hpp"

namespace relay::ctl {

struct ExplainRequest {
  std::string settings_file;
  std::map<std::string, std::string> environment;  ///< wins over the file; SMTP_RELAY_ variables alone count
  std::string client;                              ///< an address
  std::string sender;                              ///< empty: the null sender
  std::vector<std::string> recipients;
  std::string helo;
  std::string user{};      ///< that the client logged in as; empty: it did not
  std::string listener{};  ///< that it connected to; empty: one without a name of its own
  bool has_tls = false;
  std::optional<std::string> size;   ///< of the content; nothing: it is not known
  std::vector<std::string> headers;  ///< `Subject: hello`; none: the header is not known
  std::string replay_file;           ///< a log, or `-` for `in`; empty: the mail above
  bool is_verbose = false;           ///< of a log: each rule that was looked at too, for each recipient
};

/// Writes for each recipient each rule that was looked at with its verdict, the condition that decided, and what becomes of
/// the mail. A limit's verdict depends on what was counted before, which nobody knows here: it is taken for not exceeded, and
/// that is said. The same rules and routes decide as in a relay; but gateways that a relay finds by itself are not known here.
///
/// Asked before the rules, as sessions do: sender bindings, who may relay at the listener, and the mode; the mode behind them
/// too.
///
/// Of a log: replay(), for each recipient of its `reception` records. Judged is whom the client named (`original_sender`,
/// `original_recipients`), not whom the rules of that time put in their place. Tokens of redacted addresses are compared as
/// they are.
///
/// Blocks for files and `in`. Errors: not_found (a file can't be read), invalid_argument (settings with faults, all of
/// them; no address, no size; nothing to explain).
[[nodiscard]] Result<void> explain(const ExplainRequest& request, std::istream& in, std::ostream& out);

}  // namespace relay::ctl
