/// docs/smtprelay.md says what the definition in crds/ says.

#include <cstdlib>
#include <fstream>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/support/yaml.hpp"

namespace op::api {
namespace {

using Json = nlohmann::json;

constexpr const char* kPage = "docs/smtprelay.md";
constexpr const char* kHead = R"(# The SmtpRelay

Every field, as `kubectl explain smr.spec` tells it too. Written from crds/ by
`UPDATE_GOLDEN=1 build/dev/unit_operator_api`; do not edit. [operator.md](operator.md) says what becomes of it. Durations are written
`1m30s`, sizes `25Mi`. Behind *Rule:* is what the API server answers when it refuses.

)";

std::string cell(const std::string& text) {
  std::string escaped;
  for (const char c : text) escaped += c == '|' ? std::string("\\|") : std::string(1, c);
  return escaped;
}

std::string text_of(const Json& value) { return value.is_string() ? value.get<std::string>() : value.dump(); }

std::string choices(const Json& values) {
  std::string text;
  for (const auto& value : values) text += (text.empty() ? "" : ", ") + text_of(value);
  return text;
}

std::string accepted(const Json& schema) {
  const auto type = schema.value("type", "");
  if (schema.contains("enum")) return choices(schema["enum"]);
  if (type == "integer" || type == "number") {
    if (!schema.contains("maximum")) return "a number";
    return schema["minimum"].dump() + " to " + schema["maximum"].dump();
  }
  if (type == "boolean") return "true, false";
  if (type == "array") {
    const auto most = schema.value("maxItems", 0);
    const auto inner = accepted(schema["items"]);
    return "a list, at most " + std::to_string(most) + (inner.empty() ? "" : ", of: " + inner);
  }
  if (schema.contains("additionalProperties")) return "a map, at most " + schema["maxProperties"].dump();
  if (schema.contains("x-kubernetes-int-or-string")) return "a number or text";
  if (type == "string") return "text, at most " + schema.value("maxLength", Json(40)).dump();
  return "";
}

std::string meaning(const Json& schema) {
  auto text = schema.value("description", "");
  std::string rules;
  const auto add = [&](const Json& ruled) {
    for (const auto& rule : ruled.value("x-kubernetes-validations", Json::array()))
      rules += (rules.empty() ? " *Rule:* " : "; ") + rule["message"].get<std::string>();
  };
  add(schema);
  if (schema.contains("items")) add(schema["items"]);
  return text + rules + (rules.empty() ? "" : ".");
}

/// What is a scalar, or a list or map of them, says its default; of an object each field does.
std::string standing(const Json& schema, bool is_required) {
  if (is_required) return "required";
  const auto value = schema.value("default", Json());
  if (value.is_null() || (value.is_structured() && value.empty()) || schema.contains("properties")) return "";
  return "`" + (value.is_array() ? choices(value) : text_of(value)) + "`";
}

void add_rows(const Json& schema, const std::string& path, std::string& page) {
  const auto required = schema.value("required", Json::array());
  const auto properties = schema.value("properties", Json::object());
  for (const auto& [name, property] : properties.items()) {
    const auto field = path + name;
    const bool is_required = std::find(required.begin(), required.end(), name) != required.end();
    page += "| `" + field + "` | " + cell(accepted(property)) + " | " +
            cell(standing(property, is_required)) + " | " + cell(meaning(property)) + " |\n";
    const bool is_list = property.contains("items");
    add_rows(is_list ? property["items"] : property, field + (is_list ? "[]." : "."), page);
  }
}

std::string reference_page() {
  const auto schema = relay::test::read_yaml("crds/smtp.buildinglink.com_smtprelays.yaml")
                        .at("/spec/versions/0/schema/openAPIV3Schema/properties"_json_pointer);
  std::string page = kHead;
  for (const auto* part : {"spec", "status"}) {
    page += std::string("## ") + part + "\n\n" + meaning(schema[part]) + "\n\n";
    page += "| field | accepted | default | meaning |\n|---|---|---|---|\n";
    add_rows(schema[part], "", page);
    page += part == std::string("spec") ? "\n" : "";
  }
  return page;
}

TEST(Reference, IsTheDefinitionInWords) {
  const auto page = reference_page();
  if (std::getenv("UPDATE_GOLDEN") != nullptr) std::ofstream(kPage) << page;
  EXPECT_EQ(relay::test::read_text(kPage), page) << "UPDATE_GOLDEN=1 build/dev/unit_operator_api writes it";
}

}  // namespace
}  // namespace op::api
