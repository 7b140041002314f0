#include "operator/kube/resource.hpp"

#include "relay/base/text.hpp"

namespace op::kube {

std::string Resource::api_version() const {
  return group.empty() ? std::string(version) : std::string(group) + "/" + std::string(version);
}

std::string Resource::collection(std::string_view name_space) const {
  const auto within = name_space.empty() ? "" : "/namespaces/" + percent_encoded(name_space);
  return std::string(group.empty() ? "/api/" : "/apis/") + api_version() + within + "/" + std::string(plural);
}

std::string Resource::path(std::string_view name_space, std::string_view name) const {
  return collection(name_space) + "/" + percent_encoded(name);
}

std::string percent_encoded(std::string_view text) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    if (relay::is_alnum(c) || c == '-' || c == '.' || c == '_' || c == '~') {
      out += c;
      continue;
    }
    const auto octet = static_cast<unsigned char>(c);
    out += {'%', kHex[octet >> 4U], kHex[octet & 15U]};
  }
  return out;
}

std::string query(const std::vector<std::pair<std::string_view, std::string>>& entries) {
  std::string out;
  for (const auto& [key, value] : entries) {
    if (value.empty()) continue;
    out += (out.empty() ? "?" : "&") + std::string(key) + "=" + percent_encoded(value);
  }
  return out;
}

}  // namespace op::kube
