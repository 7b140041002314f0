#include "operator/relay/rollout.hpp"

#include <gtest/gtest.h>

namespace op::smtp_relay {
namespace {

std::optional<Json> daemon_set(int generation, int observed, int updated, int available) {
  return Json{
    {"metadata", {{"generation", generation}}},
    {"spec",
     {{"template", {{"metadata", {{"annotations", {{"smtp.buildinglink.com/settings", "relay-1.json"}}}}}}}}},
    {"status",
     {{"observedGeneration", observed},
      {"desiredNumberScheduled", 3},
      {"updatedNumberScheduled", updated},
      {"numberAvailable", available}}},
  };
}

TEST(Rollout, HasNotBegunWithoutADaemonSet) {
  const auto rollout = rollout_of(std::nullopt);
  EXPECT_FALSE(rollout.exists);
  EXPECT_FALSE(rollout.has_replaced_all());
}

TEST(Rollout, HasReplacedAllOnlyByCountsOfThePresentSpec) {
  EXPECT_FALSE(rollout_of(daemon_set(2, 1, 3, 3)).has_replaced_all());
  EXPECT_FALSE(rollout_of(daemon_set(2, 2, 2, 3)).has_replaced_all());
  EXPECT_TRUE(rollout_of(daemon_set(2, 2, 3, 2)).has_replaced_all());
}

TEST(Rollout, IsCompleteWhenEveryNewPodIsAvailableToo) {
  EXPECT_FALSE(rollout_of(daemon_set(2, 2, 3, 2)).is_complete());
  EXPECT_TRUE(rollout_of(daemon_set(2, 2, 3, 3)).is_complete());
}

TEST(Rollout, KnowsWhichSettingsThePodsOfTheTemplateRead) {
  EXPECT_EQ(rollout_of(daemon_set(1, 1, 3, 3)).settings_key, "relay-1.json");
  EXPECT_EQ(rollout_of(Json{{"spec", Json::object()}}).settings_key, "");
}

TEST(Rollout, LacksPodsByCountsOfThePresentSpecAlone) {
  auto counted = daemon_set(2, 2, 0, 0);
  EXPECT_TRUE(rollout_of(counted).lacks_pods());
  (*counted)["status"]["currentNumberScheduled"] = 3;
  EXPECT_FALSE(rollout_of(counted).lacks_pods());
  EXPECT_FALSE(rollout_of(daemon_set(2, 1, 0, 0)).lacks_pods());
}

TEST(Rollout, SpeaksOfNodes) {
  EXPECT_EQ(of_nodes(2, 3), "2 of 3 nodes");
  EXPECT_EQ(of_nodes(0, 1), "0 of 1 node");
}

}  // namespace
}  // namespace op::smtp_relay
