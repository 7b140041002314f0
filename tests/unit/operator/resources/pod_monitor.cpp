#include "operator/resources/pod_monitor.hpp"

#include <gtest/gtest.h>

#include "operator/resources/pod_template.hpp"

namespace op::resources {
namespace {

class PodMonitorTest : public ::testing::Test {
 protected:
  PodMonitorTest() {
    relay.name = "edge";
    relay.name_space = "mail";
  }
  api::SmtpRelay relay;
};

TEST_F(PodMonitorTest, FindsThePodsOfItsRelayByTheNameOfTheirPort) {
  const auto spec = pod_monitor(relay, Json::object())["spec"];
  const auto pod = pod_template({relay, "image:1", "/srv", ""});
  for (const auto& [label, value] : spec["selector"]["matchLabels"].items())
    EXPECT_EQ(pod["metadata"]["labels"][label], value);
  EXPECT_EQ(spec["podMetricsEndpoints"][0]["port"], pod["spec"]["containers"][0]["ports"][2]["name"]);
  EXPECT_TRUE(pod["metadata"]["labels"].contains(spec["jobLabel"].get<std::string>()));
}

TEST_F(PodMonitorTest, GivesTheLabelsThatAlertsGroupBy) {
  const auto endpoint = pod_monitor(relay, Json::object())["spec"]["podMetricsEndpoints"][0];
  EXPECT_EQ(endpoint["relabelings"][0]["targetLabel"], "node");
  EXPECT_EQ(endpoint["relabelings"][1]["targetLabel"], "relay");
}

TEST_F(PodMonitorTest, HasTheLabelsThatPrometheusSelectsByAndStaysFoundByOurs) {
  const auto labels =
    pod_monitor(relay, {{"release", "prometheus"}, {"app.kubernetes.io/name", "mine"}})["metadata"]["labels"];
  EXPECT_EQ(labels["release"], "prometheus");
  EXPECT_EQ(labels["app.kubernetes.io/name"], "smtp-relay");
}

}  // namespace
}  // namespace op::resources
