#include "relay/queue/hop_health.hpp"

#include <gtest/gtest.h>

namespace relay::queue {
namespace {

using namespace std::chrono_literals;

const RetrySchedule kSchedule{1min, 1h, 120h};
const SteadyTime kStart = SteadyTime{} + 1h;

void fail(HopHealth& health, SteadyTime now) { health.hop_failed(kSchedule, "530", now, 0.5); }

TEST(HopHealth, BacksOffFromAHopThatGreetsAndThenRefuses) {
  HopHealth health(20);
  auto now = kStart;
  for (const auto delay : {1min, 2min, 4min, 8min}) {
    health.connection_ready();
    health.connection_closed();
    fail(health, now);  // 530 to MAIL
    EXPECT_EQ(health.suspended_until(), now + delay);
    now += delay;
    EXPECT_EQ(health.permits(now), 1U) << "one message probes";
  }
  health.connection_ready();
  EXPECT_EQ(health.permits(now), 1U) << "a connection says nothing about mail yet";
  health.judged(1);
  EXPECT_GT(health.permits(now), 1U);
  EXPECT_EQ(health.last_failure(), "");
}

TEST(HopHealth, BacksOffFromOneThatRefusesWhileConnectionsStayOpen) {
  HopHealth health(20);
  for (int i = 0; i < 5; ++i) health.connection_ready();
  auto now = kStart;
  int failures = 0;
  for (; !health.is_suspended(now) && failures < 100; ++failures) fail(health, now);
  EXPECT_GT(failures, 1) << "one is not all of them";
  EXPECT_LE(failures, 5) << "a window of them";
  now = *health.suspended_until();
  fail(health, now);
  EXPECT_EQ(health.suspended_until(), now + 2min) << "the probe, too";
}

TEST(HopHealth, NarrowsAndHoldsItsConnectionsWhenAFurtherOneFails) {
  HopHealth health(20);
  health.connection_ready();
  health.connection_ready();
  fail(health, kStart);
  EXPECT_FALSE(health.is_suspended(kStart));
  EXPECT_EQ(health.connections(kStart), 2U);
  EXPECT_EQ(health.growth_held_until(), kStart + 30s);
  EXPECT_EQ(health.connections(kStart + 30s), 4U) << "one less than before";
}

TEST(HopHealth, BacksOffOnWhenItIsTriedBeforeItsTimeAndFails) {
  HopHealth health(20);
  fail(health, kStart);
  fail(health, kStart + 1min);
  health.resume();
  EXPECT_EQ(health.permits(kStart + 2min), 1U) << "at once, one message";
  EXPECT_TRUE(health.is_failing());
  fail(health, kStart + 2min);
  EXPECT_EQ(health.suspended_until(), kStart + 2min + 4min);
  health.renew();
  EXPECT_FALSE(health.is_failing());
  fail(health, kStart + 3min);
  EXPECT_EQ(health.suspended_until(), kStart + 3min + 1min) << "it is another hop now";
}

TEST(HopHealth, ProbesWhenAFailureLeftNoConnection) {
  HopHealth health(20);
  health.connection_ready();
  health.judged(1);
  fail(health, kStart);
  health.connection_closed();
  EXPECT_EQ(health.permits(kStart), 1U);
}

}  // namespace
}  // namespace relay::queue
