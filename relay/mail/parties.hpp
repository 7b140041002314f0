#pragma once
/// Who a message is from, and whom it is for.

#include <vector>

#include "relay/mail/address.hpp"

namespace relay::mail {

struct Parties {
  Address sender;
  std::vector<Address> recipients;
  friend bool operator==(const Parties&, const Parties&) = default;
};

}  // namespace relay::mail
