#pragma once
/// YAML as JSON, as Kubernetes reads it, and JSON as YAML, for golden files.

#include <fstream>
#include <nlohmann/json.hpp>
#include <regex>
#include <sstream>
#include <string>
#include <yaml-cpp/yaml.h>

namespace relay::test {

using nlohmann::json;

inline json scalar_to_json(const YAML::Node& node) {
  const auto& text = node.Scalar();
  if (node.Tag() == "!") return text;  // it was quoted
  if (text == "true" || text == "false") return text == "true";
  if (text == "null" || text == "~" || text.empty()) return nullptr;
  if (std::regex_match(text, std::regex("-?[0-9]+"))) return std::stoll(text);
  if (std::regex_match(text, std::regex("-?[0-9]+\\.[0-9]+"))) return std::stod(text);
  return text;
}

inline json yaml_to_json(const YAML::Node& node) {
  if (node.IsScalar()) return scalar_to_json(node);
  if (node.IsSequence()) {
    auto array = json::array();
    for (const auto& item : node) array.push_back(yaml_to_json(item));
    return array;
  }
  if (!node.IsMap()) return nullptr;
  auto object = json::object();
  for (const auto& entry : node) object[entry.first.Scalar()] = yaml_to_json(entry.second);
  return object;
}

inline std::string read_text(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

inline json read_yaml(const std::string& path) { return yaml_to_json(YAML::LoadFile(path)); }

/// True when every reader of YAML, old ones too, takes it for text: `yes` and `1.5` are none.
inline bool is_plain(const std::string& text) {
  static const std::regex kOther("|y|n|yes|no|on|off|true|false|null|~|[-+.0-9].*", std::regex::icase);
  return !std::regex_match(text, kOther);
}

inline void emit(YAML::Emitter& out, const json& value) {
  if (value.is_object()) {
    out << YAML::BeginMap;
    for (const auto& [key, inner] : value.items()) {
      out << YAML::Key << key << YAML::Value;
      emit(out, inner);
    }
    out << YAML::EndMap;
  } else if (value.is_array()) {
    out << YAML::BeginSeq;
    for (const auto& inner : value) emit(out, inner);
    out << YAML::EndSeq;
  } else if (!value.is_string()) {
    out << value.dump();
  } else if (const auto& text = value.get_ref<const std::string&>(); text.find('\n') != std::string::npos) {
    out << YAML::Literal << text;
  } else if (is_plain(text)) {
    out << text;
  } else {
    out << YAML::DoubleQuoted << text;
  }
}

inline std::string json_to_yaml(const json& value) {
  YAML::Emitter out;
  emit(out, value);
  return std::string(out.c_str()) + "\n";
}

}  // namespace relay::test
