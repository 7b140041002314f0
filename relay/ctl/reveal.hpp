#pragma once
/// `relayctl reveal`: redacted addresses of logs, read with the key.

#include <iosfwd>
#include <string>
#include <vector>

#include "relay/base/result.hpp"

namespace relay::ctl {

struct RevealRequest {
  std::string key_file;
  std::vector<std::string>
    tokens;  ///< or texts with tokens in them; none, or `-` alone: lines of standard input
};

/// Writes each text with what its tokens stand for, a line each; tokens of another key stay as they are. Blocks for
/// files and `in`.
/// Errors: not_found (the key file can't be read or is empty), invalid_argument (its text is too short).
[[nodiscard]] Result<void> reveal(const RevealRequest& request, std::istream& in, std::ostream& out);

}  // namespace relay::ctl
