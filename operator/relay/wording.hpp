#pragma once
/// How numbers and lists stand in messages.

#include <cstdint>
#include <string>
#include <vector>

namespace op::smtp_relay {

/// `12 messages`, `1 message`.
[[nodiscard]] std::string counted(std::uint64_t count, const std::string& what);

/// `node1, node2 and 3 more`: as many as people read. @param most  that are named, at least 1
[[nodiscard]] std::string listed(const std::vector<std::string>& names, std::size_t most);

}  // namespace op::smtp_relay
