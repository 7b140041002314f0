#pragma once
/// Files of DNSSEC trust anchors, checked before the resolver reads them: libunbound complains to standard error, and
/// only when mail is waiting for it.

#include <string>
#include <vector>

#include "relay/base/result.hpp"

namespace relay::app {

/// Blocks for the disk. Errors, permanent and with the path: not_found (missing, or it can't be read), invalid_argument
/// (no line of it is a DS or DNSKEY record).
[[nodiscard]] Result<void> check_trust_anchors(const std::vector<std::string>& paths);

}  // namespace relay::app
