#include "operator/resources/placing.hpp"

#include <gtest/gtest.h>

namespace op::resources {
namespace {

constexpr const char* kRequired = "requiredDuringSchedulingIgnoredDuringExecution";

Json in_zone(const std::string& zone) {
  return {{"key", "zone"}, {"operator", "In"}, {"values", Json::array({zone})}};
}
Json is_not(const std::string& node) {
  return {{"key", "metadata.name"}, {"operator", "NotIn"}, {"values", Json::array({node})}};
}
Json required(Json terms) { return {{kRequired, {{"nodeSelectorTerms", std::move(terms)}}}}; }

class PlacingTest : public ::testing::Test {
 protected:
  [[nodiscard]] Json pod(const Exclusions& exclusions = {}) const {
    Json made = Json::object();
    place(spec, exclusions, made);
    return made;
  }
  [[nodiscard]] Json terms(const Exclusions& exclusions) const {
    return pod(exclusions)["affinity"]["nodeAffinity"][kRequired]["nodeSelectorTerms"];
  }
  api::Spec spec;
};

TEST_F(PlacingTest, SaysWhatTheResourceSaysWhereNothingIsExcluded) {
  EXPECT_EQ(pod(), (Json{{"nodeSelector", {{"kubernetes.io/os", "linux"}}}}));
  spec.node_affinity = required(Json::array({{{"matchExpressions", Json::array({in_zone("a")})}}}));
  spec.tolerations = Json::array({{{"operator", "Exists"}}});
  EXPECT_EQ(pod()["affinity"]["nodeAffinity"], spec.node_affinity);
  EXPECT_EQ(pod()["tolerations"], spec.tolerations);
}

TEST_F(PlacingTest, ExcludesEachNodeByARequirementOfItsOwn) {
  EXPECT_EQ(
    terms({false, {"node2", "node1"}}),
    Json::array({{{"matchFields", Json::array({is_not("node1"), is_not("node2")})}}})
  );
}

TEST_F(PlacingTest, ExcludesInEachTermOfTheResource) {
  spec.node_affinity = required(Json::array({
    {{"matchExpressions", Json::array({in_zone("a")})}},
    {{"matchFields", Json::array({is_not("node9")})}},
  }));
  spec.node_affinity["preferredDuringSchedulingIgnoredDuringExecution"] = Json::array();
  EXPECT_EQ(
    terms({false, {"node1"}}),
    Json::array({
      {{"matchExpressions", Json::array({in_zone("a")})}, {"matchFields", Json::array({is_not("node1")})}},
      {{"matchFields", Json::array({is_not("node9"), is_not("node1")})}},
    })
  );
  EXPECT_EQ(requirements_of(spec, {false, {"node1"}}), 2U);
  EXPECT_TRUE(pod({false, {"node1"}})["affinity"]["nodeAffinity"].contains(
    "preferredDuringSchedulingIgnoredDuringExecution"
  ));
}

TEST_F(PlacingTest, LetsAnEmptyTermGoOnMatchingNothing) {
  spec.node_affinity =
    required(Json::array({Json::object(), {{"matchExpressions", Json::array({in_zone("a")})}}}));
  EXPECT_EQ(terms({false, {"node1"}}).size(), 1U) << "with a requirement it would match all other nodes";
  spec.node_affinity = required(Json::array({Json::object()}));
  EXPECT_EQ(terms({false, {"node1"}}), Json::array({Json::object()}));
}

TEST_F(PlacingTest, MatchesNoNodeWhereTheRelayRunsNowhere) {
  EXPECT_EQ(terms({true, {}}), Json::array({Json::object()}));
  EXPECT_EQ(requirements_of(spec, {true, {}}), 0U);
}

TEST_F(PlacingTest, ReadsBackWhatItExcluded) {
  const Exclusions cases[] = {{}, {false, {"node1"}}, {false, {"node1", "node2"}}, {true, {}}};
  for (const auto& exclusions : cases) EXPECT_EQ(exclusions_in(pod(exclusions), spec), exclusions);
  spec.node_affinity = required(Json::array({{{"matchFields", Json::array({is_not("node9")})}}}));
  for (const auto& exclusions : cases)
    EXPECT_EQ(exclusions_in(pod(exclusions), spec), exclusions) << "what the resource says by itself is none";
}

TEST_F(PlacingTest, ReadsNothingFromAPodThatSomebodyElseMade) {
  EXPECT_EQ(exclusions_in(Json::object(), spec), Exclusions{});
  EXPECT_EQ(exclusions_in({{"affinity", {{"nodeAffinity", nullptr}}}}, spec), Exclusions{});
  EXPECT_EQ(exclusions_in({{"affinity", {{"nodeAffinity", Json::object()}}}}, spec), Exclusions{});
}

}  // namespace
}  // namespace op::resources
