#pragma once
/// Settings whose value is a JSON array of objects, each with a table of fields of its own.

#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "relay/base/result.hpp"
#include "relay/base/text.hpp"

namespace relay::config {

/// How a value is written in JSON; in the environment it is always text.
enum class Shape : std::uint8_t {
  text,     ///< a string
  number,   ///< a number, or a string of one
  list,     ///< an array of strings (or numbers), or a string with commas between them
  objects,  ///< an array of objects, or a string of one
};

/// What the reference page says about one field of such an object.
struct FieldDoc {
  std::string_view key;
  Shape shape;
  std::string_view accepted;
  std::string_view default_value;
  std::string_view meaning;
};

/// A field: as a row of the settings table, of another struct. A field without default must be given.
template <class Object>
struct Field {
  FieldDoc doc;
  bool is_required = false;
  Result<void> (*set)(Object& object, std::string_view text);
  std::string (*get)(const Object& object);
};

/// A JSON value as the text that a row reads; nothing when its shape does not fit.
[[nodiscard]] std::optional<std::string> as_text(const nlohmann::ordered_json& value, Shape shape);
/// The other way.
[[nodiscard]] nlohmann::ordered_json as_json(const std::string& text, Shape shape);

/// Reads one object. Faults go to `faults` as `[0].tls: 'maybe' is not accepted ...; accepted: ...`.
template <class Object>
Object read_object(
  std::span<const Field<Object>> fields, const nlohmann::ordered_json& value, const std::string& where,
  std::vector<std::string>& faults
) {
  Object object;
  for (const auto& field : fields) (void)field.set(object, field.doc.default_value);
  if (!value.is_object()) {
    faults.push_back(where + ": not an object");
    return object;
  }
  for (const auto& [key, item] : value.items()) {
    const auto found = std::find_if(fields.begin(), fields.end(), [&wanted = key](const auto& field) {
      return field.doc.key == wanted;
    });
    const auto at = where + "." + printable(key, 100);
    if (found == fields.end()) {
      faults.push_back(at + ": unknown key");
      continue;
    }
    const auto text = as_text(item, found->doc.shape);
    const auto set = text ? found->set(object, *text) : permanent(Errc::invalid_argument, "of another shape");
    if (set) continue;
    faults.push_back(
      at + ": '" + printable(text.value_or(item.dump()), 200) + "' is not accepted (" + set.error().context +
      "); accepted: " + std::string(found->doc.accepted)
    );
  }
  for (const auto& field : fields) {
    if (field.is_required && !value.contains(field.doc.key))
      faults.push_back(where + "." + std::string(field.doc.key) + ": is missing");
  }
  return object;
}

/// Reads a JSON array; nothing at all stands for an empty one. Errors: invalid_argument, permanent, with all
/// faults.
template <class Object>
Result<std::vector<Object>> read_objects(std::span<const Field<Object>> fields, std::string_view text) {
  std::vector<Object> objects;
  if (trimmed(text).empty()) return objects;
  const auto document = nlohmann::ordered_json::parse(text, nullptr, false);
  if (!document.is_array()) return permanent(Errc::invalid_argument, "not a JSON array");
  std::vector<std::string> faults;
  for (const auto& value : document) {
    objects.push_back(read_object(fields, value, "[" + std::to_string(objects.size()) + "]", faults));
  }
  if (faults.empty()) return objects;
  std::string all;
  for (const auto& fault : faults) all += (all.empty() ? "" : "; ") + fault;
  return permanent(Errc::invalid_argument, std::move(all));
}

/// The array that read_objects() reads back, without what is as by default.
template <class Object>
std::string write_objects(std::span<const Field<Object>> fields, const std::vector<Object>& objects) {
  auto array = nlohmann::ordered_json::array();
  for (const auto& object : objects) {
    auto written = nlohmann::ordered_json::object();
    for (const auto& field : fields) {
      const auto text = field.get(object);
      if (text != field.doc.default_value || field.is_required)
        written[std::string(field.doc.key)] = as_json(text, field.doc.shape);
    }
    array.push_back(std::move(written));
  }
  return array.empty() ? "" : array.dump();
}

}  // namespace relay::config
