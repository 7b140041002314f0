#include "operator/resources/prometheus_rule.hpp"

#include <gmock/gmock.h>

#include "tests/support/yaml.hpp"

namespace op::resources {
namespace {

using ::testing::HasSubstr;

class PrometheusRuleTest : public ::testing::Test {
 protected:
  PrometheusRuleTest() {
    relay.name = "edge";
    relay.name_space = "mail";
  }
  [[nodiscard]] std::string of(std::string_view expression) const { return narrowed(expression, relay); }
  api::SmtpRelay relay;
};

TEST_F(PrometheusRuleTest, AsksOfOneRelayOnly) {
  EXPECT_EQ(of("smtp_relay_ready == 0"), R"(smtp_relay_ready{namespace="mail",relay="edge"} == 0)");
  EXPECT_EQ(
    of(R"(rate(smtp_relay_x_total{kind="a"}[5m]))"),
    R"(rate(smtp_relay_x_total{namespace="mail",relay="edge",kind="a"}[5m]))"
  );
  EXPECT_EQ(
    of("up == 0 and on (job, instance) smtp_relay_y"),
    R"(up{namespace="mail",relay="edge"} == 0 and on (job, instance) smtp_relay_y{namespace="mail",relay="edge"})"
  );
}

TEST_F(PrometheusRuleTest, KnowsItsDaemonSetByItsName) {
  EXPECT_EQ(
    of(R"(kube_daemonset_x{daemonset=~".+-smtp-relay"})"),
    R"(kube_daemonset_x{namespace="mail",daemonset="edge-smtp-relay",daemonset=~".+-smtp-relay"})"
  );
}

TEST_F(PrometheusRuleTest, LeavesTextAndAllOtherNamesAlone) {
  for (const auto* expression :
       {R"(sum by (namespace, relay) (time() > 5m offset 1w))", R"(x{y="up smtp_relay_z \" up"})",
        R"(x{y='up'} unless group_up)", R"("never ends up)", "supper + startup:up"})
    EXPECT_EQ(of(expression), expression);
}

TEST_F(PrometheusRuleTest, HasEachAlertOfTheChartWithAllButItsExpressionAsItIsThere) {
  const auto chart = relay::test::read_yaml("charts/smtp-relay-operator/files/alerts/relay.yaml")["groups"];
  auto ours = prometheus_rule(relay, {{"release", "prometheus"}});
  EXPECT_EQ(ours["metadata"]["labels"]["release"], "prometheus");
  auto& groups = ours["spec"]["groups"];
  ASSERT_EQ(groups.size(), chart.size());
  std::size_t alerts = 0;
  for (std::size_t i = 0; i < groups.size(); ++i) {
    for (std::size_t j = 0; j < groups[i]["rules"].size(); ++j, ++alerts) {
      auto& rule = groups[i]["rules"][j];
      EXPECT_THAT(rule["expr"].get<std::string>(), HasSubstr(R"({namespace="mail",)"));
      rule["expr"] = chart[i]["rules"][j]["expr"];
    }
  }
  EXPECT_GT(alerts, 20U);
  EXPECT_EQ(groups, chart);
}

}  // namespace
}  // namespace op::resources
