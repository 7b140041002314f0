#pragma once
/// The condition SourceAddressPreserved: whether relays see who their clients are.

#include <map>
#include <string>
#include <vector>

#include "operator/relay/world.hpp"

namespace op::smtp_relay {

inline constexpr std::string_view kClientsHidden = "ClientsHidden";

/// What is known of the clients' addresses.
struct SourceSight {
  std::map<std::string, std::vector<std::string>> hidden{
  };  ///< by node: `10.140.2.1 (gateway of node2's pods)`
  bool is_asked = false;                ///< there are relays that can say something
  bool has_answer = false;              ///< some relay has said something
  bool has_seen_own_addresses = false;  ///< on some node, behind the last that was hidden there
  bool can_see_nodes = true;            ///< else relays do not know the addresses of other nodes
  bool has_node_list = true;            ///< the pods have the file with these addresses
};
/// Pure.
[[nodiscard]] SourceSight source_sight_of(const World& world);

struct SourceVerdict {
  std::string_view status;
  std::string_view reason;
  std::string message;
};
/// False only where clients were refused; that nobody came, or that nobody answers, proves neither. Pure.
[[nodiscard]] SourceVerdict source_address_preserved(const SourceSight& sight);

}  // namespace op::smtp_relay
