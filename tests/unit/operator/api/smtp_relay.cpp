#include "operator/api/smtp_relay.hpp"

#include <gmock/gmock.h>
#include <regex>

#include "tests/support/yaml.hpp"

namespace op::api {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

const Json kMinimal{
  {"metadata",
   {{"namespace", "mail"}, {"name", "edge"}, {"uid", "u-1"}, {"resourceVersion", "7"}, {"generation", 3}}},
  {"spec",
   {{"access", {{"allowedNetworks", {"10.20.0.0/16"}}}},
    {"smarthosts", Json::array({{{"name", "a"}, {"host", "smtp.test"}}})}}},
};

Spec parsed(const Json& object) {
  const auto relay = parse_smtp_relay(object);
  EXPECT_TRUE(relay) << relay.error().context;
  return relay ? relay->spec : Spec{};
}

TEST(SmtpRelay, NeedsOnlyNetworks) {
  const auto relay = parse_smtp_relay(kMinimal).value();
  EXPECT_EQ(relay.name, "edge");
  EXPECT_EQ(relay.name_space, "mail");
  EXPECT_EQ(relay.uid, "u-1");
  EXPECT_EQ(relay.generation, 3);
  EXPECT_THAT(relay.spec.allowed_networks, ElementsAre("10.20.0.0/16"));
  EXPECT_EQ(relay.spec.port, 25);
  EXPECT_EQ(relay.spec.smarthosts.at(0).port, 587);
  EXPECT_EQ(relay.spec.smarthosts.at(0).tls.mode, "Required");
  EXPECT_FALSE(relay.spec.passwd_client);
}

TEST(SmtpRelay, ReadsReferencesWithTheirDefaultKeys) {
  auto object = kMinimal;
  object["spec"]["passwdClientSecretRef"]["name"] = "credentials";
  object["spec"]["smarthosts"][0]["tls"]["caRef"]["configMap"] = "authorities";
  object["spec"]["envFrom"] = {
    {{"configMapRef", {{"name", "first"}}}}, {{"configMapRef", {{"name", "second"}}}}
  };
  const auto spec = parsed(object);
  EXPECT_EQ(spec.passwd_client, (KeyReference{KeyReference::Kind::secret, "credentials", "passwd.client"}));
  EXPECT_EQ(
    spec.smarthosts[0].tls.ca, (KeyReference{KeyReference::Kind::config_map, "authorities", "ca.crt"})
  );
  EXPECT_THAT(spec.env_from, ElementsAre("first", "second"));
}

TEST(SmtpRelay, ReadsWhereUsersAreAndWhetherTheyNeedTls) {
  EXPECT_FALSE(parsed(kMinimal).auth_users);
  EXPECT_TRUE(parsed(kMinimal).auth_requires_tls);
  auto object = kMinimal;
  object["spec"]["auth"]["secretRef"]["name"] = "smtp-users";
  EXPECT_EQ(parsed(object).auth_users, (KeyReference{KeyReference::Kind::secret, "smtp-users", "users"}));
  object["spec"]["auth"]["secretRef"]["key"] = "people";
  object["spec"]["auth"]["requireTls"] = false;
  EXPECT_EQ(parsed(object).auth_users->key, "people");
  EXPECT_FALSE(parsed(object).auth_requires_tls);
}

TEST(SmtpRelay, ReadsListenersWithTheirDefaults) {
  EXPECT_TRUE(parsed(kMinimal).listeners.empty());
  auto object = kMinimal;
  object["spec"]["network"]["listeners"] = {
    {{"name", "submissions"},
     {"port", 465},
     {"tls", "Implicit"},
     {"auth", "Required"},
     {"allowedNetworks", {"192.0.2.0/24"}},
     {"proxyProtocol", false}},
    {{"name", "other"}, {"port", 2525}}
  };
  EXPECT_THAT(
    parsed(object).listeners, ElementsAre(
                                Listener{"submissions", 465, "Implicit", "Required", {"192.0.2.0/24"}, false},
                                Listener{"other", 2525, "Optional", "Optional", {}, true}
                              )
  );
}

TEST(SmtpRelay, KeepsQuantitiesThatWereWrittenAsNumbers) {
  auto object = kMinimal;
  object["spec"]["resources"] = {{"requests", {{"cpu", 1}, {"memory", "64Mi"}}}};
  EXPECT_EQ(parsed(object).requests, (Json{{"cpu", "1"}, {"memory", "64Mi"}}));
}

TEST(SmtpRelay, ReadsANumberOfNodesOrAPercentage) {
  auto object = kMinimal;
  object["spec"]["rollout"]["maxUnavailable"] = 3;
  EXPECT_EQ(parsed(object).max_unavailable, 3);
  object["spec"]["rollout"]["maxUnavailable"] = "25%";
  EXPECT_EQ(parsed(object).max_unavailable, "25%");
  object["spec"]["rollout"]["maxUnavailable"] = true;
  EXPECT_THAT(
    parse_smtp_relay(object).error().context, HasSubstr("spec.rollout.maxUnavailable has the wrong type")
  );
}

TEST(SmtpRelay, KeepsAFactorAsItIsWritten) {
  auto object = kMinimal;
  EXPECT_EQ(parsed(object).retry_multiplier, "2");
  for (const auto& [written, kept] : {std::pair<Json, std::string>{3, "3"}, {1.5, "1.5"}, {2.25, "2.25"}}) {
    object["spec"]["retry"]["multiplier"] = written;
    EXPECT_EQ(parsed(object).retry_multiplier, kept);
  }
  object["spec"]["retry"]["multiplier"] = "2";
  EXPECT_THAT(
    parse_smtp_relay(object).error().context, HasSubstr("spec.retry.multiplier has the wrong type")
  );
}

TEST(SmtpRelay, NamesTheFieldThatHasTheWrongType) {
  auto object = kMinimal;
  object["spec"]["smarthosts"][0]["port"] = "many";
  const auto relay = parse_smtp_relay(object);
  ASSERT_FALSE(relay);
  EXPECT_THAT(relay.error().context, HasSubstr("spec.smarthosts[0].port has the wrong type"));
  EXPECT_EQ(relay.error().fate, relay::Fate::permanent);
}

// ---- the definition in crds/ and Spec must say the same ----

const Json& definition() {
  static const Json schema = relay::test::read_yaml("crds/smtp.buildinglink.com_smtprelays.yaml")
                               .at("/spec/versions/0/schema/openAPIV3Schema"_json_pointer);
  return schema;
}

const Json& spec_schema() {
  static const Json schema = definition()["properties"]["spec"];
  return schema;
}

/// As the API server fills in defaults: outer ones first.
void fill_in_defaults(const Json& schema, Json& value) {
  const auto properties = schema.value("properties", Json::object());
  for (const auto& [name, property] : properties.items()) {
    if (!value.contains(name) && property.contains("default")) value[name] = property["default"];
    if (value.contains(name) && value[name].is_object()) fill_in_defaults(property, value[name]);
    if (value.contains(name) && value[name].is_array() && property.contains("items")) {
      for (auto& item : value[name]) {
        if (item.is_object()) fill_in_defaults(property["items"], item);
      }
    }
  }
}

struct Leaf {
  Json::json_pointer path;
  Json schema;
};

void collect_leaves(const Json& schema, const Json::json_pointer& path, std::vector<Leaf>& leaves) {
  if (schema.contains("properties")) {
    for (const auto& [name, property] : schema["properties"].items())
      collect_leaves(property, path / name, leaves);
  } else if (schema.value("type", "") == "array") {
    collect_leaves(schema["items"], path / std::size_t{0}, leaves);
  } else {
    leaves.push_back({path, schema});
  }
}

/// A value that is not the default.
Json another_value(const Json& schema) {
  const auto type = schema.value("type", "");
  if (schema.contains("enum"))
    return schema["enum"][0] == schema.value("default", Json()) ? schema["enum"][1] : schema["enum"][0];
  if (type == "integer") return schema.value("default", 1) + 1;
  if (type == "number") return schema.value("default", 1) + 0.5;
  if (type == "boolean") return !schema.value("default", false);
  if (type == "object") return {{"another", "1"}};
  return "another";
}

TEST(SmtpRelay, HasTheDefaultsOfItsDefinition) {
  auto filled = kMinimal;
  fill_in_defaults(spec_schema(), filled["spec"]);
  EXPECT_NE(filled, kMinimal);
  EXPECT_EQ(parsed(filled), parsed(kMinimal));
}

TEST(SmtpRelay, ReadsEveryFieldOfItsDefinition) {
  std::vector<Leaf> leaves;
  collect_leaves(spec_schema(), Json::json_pointer("/spec"), leaves);
  EXPECT_GT(leaves.size(), 100U);
  const auto base = parsed(kMinimal);
  for (const auto& leaf : leaves) {
    // For the API server alone: it says that the loss of mail was meant.
    if (leaf.path.to_string() == "/spec/spool/acceptMailLoss") continue;
    auto object = kMinimal;
    object[leaf.path] = another_value(leaf.schema);
    EXPECT_NE(parsed(object), base) << leaf.path.to_string() << " is not read";
  }
}

/// Each property and each entry of a list or map, with its path, from `spec` and `status` on.
std::vector<std::pair<std::string, Json>> all_schemas() {
  const auto& whole = definition();
  std::vector<std::pair<std::string, Json>> todo{
    {"spec", whole["properties"]["spec"]}, {"status", whole["properties"]["status"]}
  };
  for (std::size_t i = 0; i < todo.size(); ++i) {
    const auto [path, schema] = todo[i];
    if (schema.contains("items")) todo.emplace_back(path + "[]", schema["items"]);
    if (schema.contains("additionalProperties"))
      todo.emplace_back(path + "{}", schema["additionalProperties"]);
    const auto properties = schema.value("properties", Json::object());
    for (const auto& [name, property] : properties.items()) todo.emplace_back(path + "." + name, property);
  }
  return todo;
}

bool is_entry(const std::string& path) { return path.ends_with("[]") || path.ends_with("{}"); }

/// Whether the operator alone writes it: counts have no end then.
bool is_status(const std::string& path) { return path.starts_with("status"); }

TEST(SmtpRelay, HasADefinitionWhoseListsTextsAndNumbersAreBounded) {
  for (const auto& [path, schema] : all_schemas()) {
    const auto type = schema.value("type", "");
    if (type == "array") {
      EXPECT_TRUE(schema.contains("maxItems")) << path;
      EXPECT_TRUE(schema.contains("x-kubernetes-list-type")) << path;
    }
    const bool is_text = type == "string" || schema.contains("x-kubernetes-int-or-string");
    const bool is_bounded =
      schema.contains("maxLength") || schema.contains("enum") || schema.value("format", "") == "date-time";
    if (is_text) EXPECT_TRUE(is_bounded) << path;
    const bool is_number = type == "integer" || type == "number";
    if (is_number) EXPECT_TRUE(schema.contains("minimum")) << path;
    if (is_number) EXPECT_TRUE(schema.contains("maximum") || is_status(path)) << path;
    if (schema.contains("additionalProperties")) EXPECT_TRUE(schema.contains("maxProperties")) << path;
  }
}

TEST(SmtpRelay, HasADefinitionThatExplainsEachFieldInSentences) {
  const std::regex sentences(R"(["A-Z0-9<][\s\S]{8,}\.)");
  for (const auto& [path, schema] : all_schemas()) {
    if (is_entry(path)) continue;
    const auto text = schema.value("description", "");
    EXPECT_TRUE(std::regex_match(text, sentences)) << path << ": '" << text << "'";
  }
}

TEST(SmtpRelay, HasRulesThatSayWhatToDo) {
  for (const auto& [path, schema] : all_schemas()) {
    for (const auto& rule : schema.value("x-kubernetes-validations", Json::array()))
      EXPECT_GE(rule.value("message", "").size(), 15U) << path << ": " << rule["rule"];
  }
}

TEST(SmtpRelay, HasADefinitionThatClientSideApplyCanHold) {
  EXPECT_LT(relay::test::read_text("crds/smtp.buildinglink.com_smtprelays.yaml").size(), 120'000U);
}

TEST(SmtpRelay, HasTheSameDefinitionInTheChart) {
  const std::string file = "smtp.buildinglink.com_smtprelays.yaml";
  EXPECT_EQ(
    relay::test::read_text("charts/smtp-relay-operator/files/" + file), relay::test::read_text("crds/" + file)
  ) << "cp crds/"
    << file << " charts/smtp-relay-operator/files/";
}

}  // namespace
}  // namespace op::api
