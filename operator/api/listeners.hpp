#pragma once
/// Where mail comes in besides network.port, as the resource says it.

#include <cstdint>
#include <string>
#include <vector>

namespace op::api {

struct Listener {
  std::string name;
  std::uint16_t port = 0;                       ///< of each node and of the Service
  std::string tls = "Optional";                 ///< None, Optional, Required, Implicit
  std::string auth = "Optional";                ///< Optional, Required
  std::vector<std::string> allowed_networks{};  ///< empty: those of access
  bool proxy_protocol = true;
  friend bool operator==(const Listener&, const Listener&) = default;
};

}  // namespace op::api
