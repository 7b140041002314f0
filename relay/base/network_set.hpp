#pragma once
/// Many networks as one value that is asked whether it holds an address.

#include <initializer_list>
#include <vector>

#include "relay/base/network.hpp"

namespace relay {

/// A set of networks of both families. A lookup costs a binary search for each length of prefix that occurs, of which there
/// are few however many networks there are: a list of all nodes of a cluster is asked for each connection.
///
/// A value; immutable once it is made. Thread: any.
class NetworkSet {
 public:
  NetworkSet() = default;
  NetworkSet(const Networks& networks);  // NOLINT(google-explicit-constructor): it is what they are
  NetworkSet(std::initializer_list<Cidr> networks) : NetworkSet(Networks(networks)) {}

  [[nodiscard]] bool contains(const IpAddress& address) const;
  [[nodiscard]] bool empty() const { return levels_.empty(); }

 private:
  /// Networks of one family and length of prefix, by their first addresses, sorted.
  struct Level {
    bool is_v4;
    unsigned prefix;
    std::vector<IpAddress> networks;
  };
  std::vector<Level> levels_;
};

}  // namespace relay
