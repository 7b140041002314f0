#pragma once
/// How mail comes in, as the resource says it. Durations stay text: the relay's own rules (relay/config) read them.

#include <cstdint>
#include <string>

namespace op::api {

/// A content filter that speaks the milter protocol.
struct Milter {
  std::string name;
  std::string host;
  std::uint16_t port = 0;
  std::string on_failure = "Defer";  ///< Defer, Accept, Reject
  std::string connect_timeout = "5s";
  std::string command_timeout = "15s";
  std::string message_timeout = "1m";
  friend bool operator==(const Milter&, const Milter&) = default;
};

}  // namespace op::api
