#pragma once
/// NAME      app -- wiring, signals, drain and stop
/// USES      everything of the relay
///
/// INVARIANT the only place that knows all modules; no protocol, no policy
/// FAILURES  at start: one log record that says what to do, exit code 1; later: the last good settings stay
///           in force

#include <optional>
#include <string>
#include <string_view>

#include "relay/base/network.hpp"

namespace relay::app {

/// Default gateways of this network namespace, in a pod the CNI's: clients that a network hides arrive from
/// there.
/// @param route, ipv6_route  the text of /proc/net/route and /proc/net/ipv6_route
[[nodiscard]] Networks parse_default_gateways(std::string_view route, std::string_view ipv6_route);
[[nodiscard]] Networks read_default_gateways();

/// gethostname(2), or "localhost" when it gives none.
[[nodiscard]] std::string machine_name();

/// Whether a pod's annotations, as the downward API writes them (`key="value"` a line), ask for a drain:
/// smtp.buildinglink.com/drain with any value but "" and "false".
[[nodiscard]] bool asks_for_drain(std::string_view annotations);
/// The same of smtp.buildinglink.com/retire: a drain, and all that waits is tried now. The operator writes it when an
/// SmtpRelay that is to be emptied is deleted.
[[nodiscard]] bool asks_to_retire(std::string_view annotations);

/// Why the pod's node is cordoned, as the operator says it in the same annotations: the value of
/// smtp.buildinglink.com/cordoned, printable. Nothing where it is missing, "" or "false".
[[nodiscard]] std::optional<std::string> cordon_in(std::string_view annotations);

}  // namespace relay::app
