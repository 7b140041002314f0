#include "operator/resources/dashboard.hpp"

#include <gtest/gtest.h>

#include "tests/support/yaml.hpp"

namespace op::resources {
namespace {

api::SmtpRelay relay(const std::string& name_space, const std::string& name) {
  api::SmtpRelay made;
  made.name_space = name_space;
  made.name = name;
  return made;
}

Json board_in(const Json& config_map) {
  EXPECT_EQ(config_map["data"].size(), 1U);
  return Json::parse(config_map["data"].begin().value().get<std::string>());
}

const Json* variable(const Json& board, const std::string& name) {
  for (const auto& each : board["templating"]["list"]) {
    if (each["name"] == name) return &each;
  }
  return nullptr;
}

TEST(Dashboard, IsFoundByTheSidecarOfGrafanasChart) {
  const auto made = dashboard(relay("mail", "edge"));
  EXPECT_EQ(made["metadata"]["labels"]["grafana_dashboard"], "1");
  EXPECT_EQ(made["metadata"]["name"], "edge-smtp-relay-dashboard");
}

TEST(Dashboard, IsAboutOneRelayAndHasAllPanelsOfTheChart) {
  const auto board = board_in(dashboard(relay("mail", "edge")));
  const auto chart = relay::test::read_text("charts/smtp-relay-operator/files/dashboards/relay.json");
  EXPECT_EQ(board["panels"], Json::parse(chart)["panels"]);
  ASSERT_NE(variable(board, "relay"), nullptr);
  EXPECT_EQ((*variable(board, "relay"))["type"], "constant");
  EXPECT_EQ((*variable(board, "relay"))["current"]["value"], "edge");
  EXPECT_EQ((*variable(board, "namespace"))["current"]["value"], "mail");
  EXPECT_EQ((*variable(board, "node"))["type"], "query") << "nodes are asked for as before";
}

TEST(Dashboard, MeetsNoOtherOfItsGrafana) {
  const auto one = dashboard(relay("mail-a", "b"));
  const auto other = dashboard(relay("mail", "a-b"));
  EXPECT_NE(one["data"].begin().key(), other["data"].begin().key()) << "files of one folder";
  EXPECT_NE(board_in(one)["uid"], board_in(other)["uid"]);
  EXPECT_NE(board_in(one)["title"], board_in(other)["title"]);
  EXPECT_LE(board_in(one)["uid"].get<std::string>().size(), 40U) << "Grafana takes no longer one";
}

}  // namespace
}  // namespace op::resources
