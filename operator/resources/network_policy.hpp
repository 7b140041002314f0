#pragma once

#include <set>

#include "operator/resources/names.hpp"
#include "relay/config/settings.hpp"

namespace op::resources {

/// Who may send to a relay and where it may go, by the settings that it will have.
struct Traffic {
  std::vector<std::string> clients;  ///< networks
  std::set<std::uint16_t>
    ports_away;  ///< TCP, of mail servers, content filters, policies and tokens; DNS apart
};
[[nodiscard]] Traffic traffic_of(const relay::config::Settings& settings);

/// Lets in mail from the clients and from pods (network plugins do not take a pod's address for part of a network), probes and
/// metrics from everywhere, since only their owners know from where; lets out what the relay needs, to everywhere, since
/// MX records lead anywhere and names of smarthosts to changing addresses. Who is let in is not thereby allowed to
/// send: the relay still judges each client.
[[nodiscard]] Json network_policy(const api::SmtpRelay& relay, const Traffic& traffic);

}  // namespace op::resources
