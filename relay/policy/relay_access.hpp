#pragma once
/// NAME      policy -- verdicts on clients and recipients
/// USES      mail, base
///
/// INVARIANT pure; whoever is not explicitly allowed is refused
/// FAILURES  a refusal is a Reply whose text says what the client's operator can do

#include <optional>

#include "relay/base/network_set.hpp"
#include "relay/mail/address.hpp"
#include "relay/mail/reply.hpp"

namespace relay::policy {

/// Who may relay by address. An address in `hidden` stands for clients that the network hides (nodes, CNI
/// gateways, load balancers): it never matches `allowed`, unless it is listed there as a single address (/32,
/// /128), so that a network which begins to hide its clients closes the relay instead of opening it.
struct RelayAccess {
  Networks allowed;   ///< few: each is looked at
  NetworkSet hidden;  ///< perhaps of thousands of nodes
};

/// `hidden` comes before `not_listed`: that the network hides a client is what its owner must know, whether or not what hides
/// it is in an allowed network.
enum class Standing : std::uint8_t { allowed, not_listed, hidden };

[[nodiscard]] Standing standing(const RelayAccess& access, const IpAddress& client);

/// Whether the address stands for clients that the network hides, listed alone or not: nothing that it does is one client's.
[[nodiscard]] bool hides_clients(const RelayAccess& access, const IpAddress& address);

/// 550 5.7.1 for a client that may not relay; nothing when it may.
[[nodiscard]] std::optional<mail::Reply> refuse_client(const RelayAccess& access, const IpAddress& client);

/// 550 5.1.2 for a recipient at an address literal: no mail is routed to where its sender points.
[[nodiscard]] std::optional<mail::Reply> refuse_recipient(const mail::Address& recipient);

}  // namespace relay::policy
