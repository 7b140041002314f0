#pragma once
/// What all Kubernetes objects have in common, read from JSON.

#include <compare>
#include <nlohmann/json.hpp>
#include <string>

namespace op::kube {

using Json = nlohmann::json;

/// The identity of a namespaced object of a known kind.
struct Key {
  std::string name_space;
  std::string name;
  [[nodiscard]] std::string to_text() const { return name_space + "/" + name; }
  friend auto operator<=>(const Key&, const Key&) = default;
};

/// The value at a JSON pointer (`/metadata/uid`) when it is a string, or nothing.
[[nodiscard]] std::string text_at(const Json& object, const std::string& pointer);
/// The value at a JSON pointer when it is a whole number, or 0.
[[nodiscard]] std::int64_t number_at(const Json& object, const std::string& pointer);

[[nodiscard]] Key key_of(const Json& object);
/// Whether it has a name, as every object of a server has.
[[nodiscard]] bool is_named(const Json& object);
[[nodiscard]] std::string resource_version_of(const Json& object);
[[nodiscard]] bool is_being_deleted(const Json& object);

/// The owner that manages an object (`controller: true`), with empty fields where there is none.
struct Controller {
  std::string kind;
  std::string name;
  std::string uid;
};
[[nodiscard]] Controller controller_of(const Json& object);

}  // namespace op::kube
