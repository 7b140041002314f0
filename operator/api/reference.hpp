#pragma once

#include <cstdint>
#include <string>

namespace op::api {

/// One key of a Secret or ConfigMap in the resource's namespace.
struct KeyReference {
  enum class Kind : std::uint8_t { secret, config_map };
  Kind kind = Kind::secret;
  std::string name;
  std::string key;
  friend bool operator==(const KeyReference&, const KeyReference&) = default;
  friend auto operator<=>(const KeyReference&, const KeyReference&) = default;
};

}  // namespace op::api
