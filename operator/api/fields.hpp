#pragma once
/// How the resource's parts are read.

#include <nlohmann/json.hpp>
#include <optional>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

#include "operator/api/outgoing.hpp"
#include "operator/api/policies.hpp"
#include "operator/api/receive.hpp"

namespace op::api {

using Json = nlohmann::json;

/// A field of the wrong type; thrown and caught within this module.
struct WrongType : std::runtime_error {
  explicit WrongType(const std::string& path) : std::runtime_error(path + " has the wrong type") {}
};

/// A JSON object together with its path, for messages. Absent objects read as empty ones.
class Fields {
 public:
  Fields(const Json& object, std::string path) : object_(object), path_(std::move(path)) {
    if (!object_.is_object()) throw WrongType(path_);
  }
  [[nodiscard]] bool has(const char* key) const { return object_.contains(key); }
  [[nodiscard]] Fields inner(const char* key) const {
    static const Json kEmpty = Json::object();
    return {has(key) ? object_[key] : kEmpty, path(key)};
  }
  /// Leaves `target`, which holds the default, when the field is absent.
  template <class Value>
  void read(const char* key, Value& target) const {
    const auto found = object_.find(key);
    if (found == object_.end()) return;
    if constexpr (std::is_same_v<Value, Json>) {
      if (found->type() != target.type()) throw WrongType(path(key));
      target = *found;
    } else {
      try {
        target = found->template get<Value>();
      } catch (const Json::exception&) {
        throw WrongType(path(key));
      }
    }
  }
  /// A number or text, as Kubernetes' IntOrString.
  void read_int_or_string(const char* key, Json& target) const {
    const auto found = object_.find(key);
    if (found == object_.end()) return;
    if (!found->is_number_integer() && !found->is_string()) throw WrongType(path(key));
    target = *found;
  }
  /// Any number, as it is written.
  void read_number(const char* key, std::string& target) const {
    const auto found = object_.find(key);
    if (found == object_.end()) return;
    if (!found->is_number()) throw WrongType(path(key));
    target = found->dump();
  }
  template <class Value>
  void read(const char* key, std::optional<Value>& target) const {
    if (has(key)) read(key, target.emplace());
  }
  template <class Each>
  void each(const char* key, Each read_item) const {
    Json items = Json::array();
    read(key, items);
    for (std::size_t i = 0; i < items.size(); ++i)
      read_item(Fields(items[i], path(key) + "[" + std::to_string(i) + "]"));
  }

 private:
  [[nodiscard]] std::string path(const char* key) const { return path_.empty() ? key : path_ + "." + key; }
  const Json& object_;  // the caller's; outlives this
  std::string path_;
};

/// A reference to a key of a Secret, {name, key}; nothing where the field is absent.
[[nodiscard]] std::optional<KeyReference> parse_secret(
  const Fields& from, const char* field, const char* default_key
);

[[nodiscard]] Smarthost parse_smarthost(const Fields& from);
[[nodiscard]] Delivery parse_delivery(const Fields& from);
[[nodiscard]] Dkim parse_dkim(const Fields& from);
[[nodiscard]] Bounces parse_bounces(const Fields& from);
[[nodiscard]] Policy parse_policy(const Fields& from);
[[nodiscard]] SenderBinding parse_sender_binding(const Fields& from);
[[nodiscard]] Milter parse_milter(const Fields& from);

}  // namespace op::api
