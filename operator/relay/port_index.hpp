#pragma once
/// Finds those who may want a port of a node that a relay wants, without a look at all others.

#include "operator/relay/port_claims.hpp"

namespace op::smtp_relay {

/// Claimants by the numbers of their ports. Protocols, addresses and nodes are looked at by who asks.
///
/// Thread: one at a time. Lifetime: holds pointers into a Claimants, and each of them from add() to remove().
class PortIndex {
 public:
  /// @param entry  whose claim does not change until remove()
  void add(const Claimants::value_type& entry);
  void remove(const Claimants::value_type& entry);

  /// Those who have a port number in common with this claim, whose own it is among them.
  [[nodiscard]] Contenders sharing(const Claim& claim) const;
  /// Those, and who has one in common with these, and so on: by one that loses itself nobody else loses, so that all of
  /// them have a say. Each once.
  [[nodiscard]] Contenders around(const Claim& claim) const;

 private:
  std::map<std::int64_t, Contenders> by_number_;
  /// Numbers that one claim has together, and how many claims have them so.
  std::map<std::int64_t, std::map<std::int64_t, std::size_t>> together_;
};

}  // namespace op::smtp_relay
