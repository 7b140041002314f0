#include "operator/relay/wording.hpp"

namespace op::smtp_relay {

std::string counted(std::uint64_t count, const std::string& what) {
  return std::to_string(count) + " " + what + (count == 1 ? "" : "s");
}

std::string listed(const std::vector<std::string>& names, std::size_t most) {
  std::string text;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (i == most) return text + " and " + std::to_string(names.size() - most) + " more";
    text += (i == 0 ? "" : ", ") + names[i];
  }
  return text;
}

}  // namespace op::smtp_relay
