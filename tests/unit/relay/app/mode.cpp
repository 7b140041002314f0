#include "relay/app/mode.hpp"

#include <gtest/gtest.h>

#include "tests/support/quiet_log.hpp"

namespace relay::app {
namespace {

TEST(Mode, IsPublishedAndSaidWhenItChanges) {
  metrics::Registry metrics{1};
  test::QuietLog log;
  EXPECT_EQ(mode_in(metrics), "deliver");
  publish_mode(metrics, log, policy::Mode::deliver);
  EXPECT_EQ(log.records("mode").size(), 0U);
  publish_mode(metrics, log, policy::Mode::capture);
  publish_mode(metrics, log, policy::Mode::capture);
  EXPECT_EQ(mode_in(metrics), "capture");
  EXPECT_EQ(metrics.read(metrics::Gauge::mode_deliver), 0);
  ASSERT_EQ(log.records("mode").size(), 1U);
  EXPECT_EQ(log.first("mode").at("mode"), "capture");
  EXPECT_EQ(log.first("mode").at("before"), "deliver");
}

}  // namespace
}  // namespace relay::app
