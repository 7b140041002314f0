#include "operator/relay/optional_retries.hpp"

#include <gtest/gtest.h>

#include "tests/unit/operator/relay/example.hpp"
#include "tests/unit/operator/runtime/fakes.hpp"

namespace op::smtp_relay {
namespace {

using relay::seconds;
using resources::Optional;

constexpr auto kMonitor = Optional::pod_monitor;

class OptionalRetriesTest : public ::testing::Test {
 protected:
  runtime::VirtualClock clock;
  OptionalRetries retries{clock};
  api::SmtpRelay edge = example().relay;
  api::SmtpRelay inner = [] {
    auto other = example().relay;
    other.name = "inner";
    return other;
  }();
};

TEST_F(OptionalRetriesTest, DoubleTheirDelayUpToTenMinutes) {
  EXPECT_EQ(optional_retry_delay(1), seconds{30});
  EXPECT_EQ(optional_retry_delay(2), seconds{60});
  EXPECT_EQ(optional_retry_delay(5), seconds{480});
  EXPECT_EQ(optional_retry_delay(6), seconds{600});
  EXPECT_EQ(optional_retry_delay(4'000'000'000), seconds{600});
}

TEST_F(OptionalRetriesTest, HoldWhatFailedUntilItsTime) {
  EXPECT_FALSE(retries.held(edge, kMonitor));
  EXPECT_EQ(retries.failed(edge, kMonitor, "down").look_in, seconds{30});
  clock.advance(seconds{20});
  ASSERT_TRUE(retries.held(edge, kMonitor));
  EXPECT_EQ(retries.held(edge, kMonitor)->why, "down");
  EXPECT_EQ(retries.held(edge, kMonitor)->look_in, seconds{10});
  EXPECT_FALSE(retries.held(edge, kMonitor)->is_forbidden);
  EXPECT_FALSE(retries.held(edge, Optional::network_policy));
  EXPECT_FALSE(retries.held(inner, kMonitor));
  clock.advance(seconds{10});
  EXPECT_FALSE(retries.held(edge, kMonitor));
  EXPECT_EQ(retries.failed(edge, kMonitor, "down").look_in, seconds{60});
}

TEST_F(OptionalRetriesTest, BeginAnewBehindASuccess) {
  retries.failed(edge, kMonitor, "down");
  retries.failed(edge, kMonitor, "down");
  retries.settled(edge, kMonitor);
  EXPECT_FALSE(retries.held(edge, kMonitor));
  EXPECT_EQ(retries.failed(edge, kMonitor, "down").look_in, seconds{30});
}

TEST_F(OptionalRetriesTest, DoNotHoldUpAnEdit) {
  retries.failed(edge, kMonitor, "down");
  retries.failed(edge, kMonitor, "down");
  edge.generation = 4;
  EXPECT_FALSE(retries.held(edge, kMonitor));
  EXPECT_EQ(retries.failed(edge, kMonitor, "down").look_in, seconds{30});
}

TEST_F(OptionalRetriesTest, AreNobodysToComeBackForWhereTheSameWouldBeRefused) {
  EXPECT_FALSE(retries.failed(edge, kMonitor, "invalid", true).look_in);
  ASSERT_TRUE(retries.held(edge, kMonitor));
  EXPECT_FALSE(retries.held(edge, kMonitor)->look_in);
}

TEST_F(OptionalRetriesTest, HoldAllRelaysOfANamespaceWhereTheRightIsMissing) {
  EXPECT_TRUE(retries.forbidden("mail", kMonitor, "no right"));
  EXPECT_FALSE(retries.forbidden("mail", kMonitor, "no right")) << "the same is told once";
  edge.generation = 4;
  for (const auto& each : {edge, inner}) {
    ASSERT_TRUE(retries.held(each, kMonitor)) << "no edit grants it";
    EXPECT_TRUE(retries.held(each, kMonitor)->is_forbidden);
    EXPECT_EQ(retries.held(each, kMonitor)->look_in, seconds{600});
  }
  auto elsewhere = edge;
  elsewhere.name_space = "post";
  EXPECT_FALSE(retries.held(elsewhere, kMonitor));
  clock.advance(seconds{600});
  EXPECT_FALSE(retries.held(edge, kMonitor));
}

TEST_F(OptionalRetriesTest, ForgetARelayThatIsGone) {
  retries.failed(edge, kMonitor, "down");
  retries.forget({"mail", "edge"});
  EXPECT_FALSE(retries.held(edge, kMonitor));
}

}  // namespace
}  // namespace op::smtp_relay
