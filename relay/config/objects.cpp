#include "relay/config/objects.hpp"

namespace relay::config {

using nlohmann::ordered_json;

std::optional<std::string> as_text(const ordered_json& value, Shape shape) {
  if (shape == Shape::objects && value.is_array()) return value.dump();
  if (value.is_string()) return value.get<std::string>();
  if (shape == Shape::list && value.is_array()) {
    std::string text;
    for (const auto& item : value) {
      const auto piece = as_text(item, Shape::number);
      if (!piece) return std::nullopt;
      text += (text.empty() ? "" : ",") + *piece;
    }
    return text;
  }
  // A size may be a bare number of octets.
  const bool is_single = shape == Shape::text || shape == Shape::number;
  if (is_single && value.is_number_unsigned()) return std::to_string(value.get<std::uint64_t>());
  if (shape == Shape::number && value.is_number_float()) return value.dump();
  return std::nullopt;
}

ordered_json as_json(const std::string& text, Shape shape) {
  switch (shape) {
    case Shape::text: return text;
    case Shape::number: {
      const auto number = ordered_json::parse(text, nullptr, false);
      return number.is_number() ? number : ordered_json(text);
    }
    case Shape::objects: return text.empty() ? ordered_json::array() : ordered_json::parse(text);
    case Shape::list: break;
  }
  auto list = ordered_json::array();
  for (const auto item : split(text, ',')) list.push_back(item);
  return list;
}

}  // namespace relay::config
