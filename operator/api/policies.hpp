#pragma once
/// Rules on mail that comes in, as the resource says them. Networks, sizes and patterns stay text: the relay's own rules
/// (relay/config) read them. Empty text means that nothing was said.

#include <optional>
#include <string>
#include <vector>

namespace op::api {

struct PolicyMatch {
  std::vector<std::string> clients{};
  std::vector<std::string> helo{};
  std::vector<std::string> senders{};
  std::vector<std::string> recipients{};
  std::optional<bool> tls{};
  std::string larger_than{};
  std::string header{};        ///< header.name
  std::string header_value{};  ///< header.value
  friend bool operator==(const PolicyMatch&, const PolicyMatch&) = default;
};

struct Policy {
  std::string name;
  PolicyMatch match{};
  std::string action;         ///< Accept, Reject, Defer, Discard, Hold, Redirect, Route
  std::string reply{};        ///< of Reject and Defer
  std::string redirect_to{};  ///< of Redirect: an address
  std::string smarthost{};    ///< of Route: its name
  friend bool operator==(const Policy&, const Policy&) = default;
};

}  // namespace op::api
