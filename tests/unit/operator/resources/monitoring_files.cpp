#include "operator/resources/monitoring_files.hpp"

#include <gtest/gtest.h>

#include "tests/support/yaml.hpp"

namespace op::resources {
namespace {

TEST(MonitoringFiles, AreThoseOfTheChart) {
  const std::string files = "charts/smtp-relay-operator/files/";
  EXPECT_EQ(relay_alerts(), relay::test::read_text(files + "alerts/relay.yaml"));
  EXPECT_EQ(relay_dashboard(), relay::test::read_text(files + "dashboards/relay.json"));
}

}  // namespace
}  // namespace op::resources
