#include "relay/policy/relay_access.hpp"

#include <algorithm>

namespace relay::policy {

Standing standing(const RelayAccess& access, const IpAddress& client) {
  const bool is_listed_alone =
    std::any_of(access.allowed.begin(), access.allowed.end(), [&](const Cidr& network) {
      return network.is_single_address() && network.address() == client;
    });
  if (is_listed_alone) return Standing::allowed;
  if (access.hidden.contains(client)) return Standing::hidden;
  return contains(access.allowed, client) ? Standing::allowed : Standing::not_listed;
}

bool hides_clients(const RelayAccess& access, const IpAddress& address) {
  return access.hidden.contains(address);
}

std::optional<mail::Reply> refuse_client(const RelayAccess& access, const IpAddress& client) {
  switch (standing(access, client)) {
    case Standing::allowed: return std::nullopt;
    case Standing::not_listed:
      return mail::Reply{
        550, mail::EnhancedStatus{5, 7, 1},
        "Relaying denied: " + client.to_text() + " is not in the allowed networks"
      };
    case Standing::hidden:
      return mail::Reply{
        550, mail::EnhancedStatus{5, 7, 1},
        "Relaying denied: the network hides the client behind " + client.to_text() +
          " (a node, gateway or load balancer); connect from another host or list it as a single address"
      };
  }
  return std::nullopt;
}

std::optional<mail::Reply> refuse_recipient(const mail::Address& recipient) {
  if (!recipient.has_literal_domain()) return std::nullopt;
  return mail::Reply{550, mail::EnhancedStatus{5, 1, 2}, "Mail to an address literal is not relayed"};
}

}  // namespace relay::policy
