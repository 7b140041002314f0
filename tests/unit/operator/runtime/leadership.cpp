#include "operator/runtime/leadership.hpp"

#include <gtest/gtest.h>
#include <thread>

#include "tests/unit/operator/runtime/fakes.hpp"

namespace op::runtime {
namespace {

class LeadershipTest : public ::testing::Test {
 protected:
  void lead() { leadership.lead({clock.steady() + seconds{10}, clock.steady() + seconds{15}}); }
  VirtualClock clock;
  Metrics metrics{{"c", "lease", "smtp_relay_operator"}, 1, "h"};
  Leadership leadership{clock, TokenBucket(1000, 1000), metrics};
};

TEST_F(LeadershipTest, LetsNoWritePassBeforeATerm) {
  EXPECT_FALSE(leadership.is_leading());
  EXPECT_EQ(leadership.admit({}).error().kind, kube::Kind::cancelled);
  EXPECT_TRUE(leadership.term().stop_requested());
}

TEST_F(LeadershipTest, LetsWritesPassThatEndBeforeTheWatchdogLooks) {
  lead();
  clock.advance(seconds{6});
  const auto permit = leadership.admit({});
  ASSERT_TRUE(permit);
  EXPECT_EQ((*permit)->time_left(), milliseconds{8500});
  EXPECT_FALSE((*permit)->withdrawn().stop_requested());
}

TEST_F(LeadershipTest, LetsNoWriteBeginFromTheRenewDeadlineOn) {
  lead();
  clock.advance(milliseconds{9999});
  EXPECT_TRUE(leadership.admit({}));
  clock.advance(milliseconds{1});
  EXPECT_FALSE(leadership.admit({})) << "though nobody has told it to step down";
}

TEST_F(LeadershipTest, CancelsWritesUnderWayWhenItStepsDown) {
  lead();
  const auto permit = leadership.admit({});
  const auto term = leadership.term();
  leadership.step_down();
  EXPECT_TRUE((*permit)->withdrawn().stop_requested());
  EXPECT_TRUE(term.stop_requested());
  EXPECT_FALSE(leadership.admit({}));
}

TEST_F(LeadershipTest, BeginsANewTermWithANewEnd) {
  lead();
  leadership.step_down();
  lead();
  EXPECT_FALSE(leadership.term().stop_requested());
  EXPECT_TRUE(leadership.admit({}));
}

TEST_F(LeadershipTest, KeepsOneEndForATermThatIsRenewed) {
  lead();
  const auto term = leadership.term();
  clock.advance(seconds{2});
  lead();
  EXPECT_EQ(term, leadership.term());
}

TEST_F(LeadershipTest, IsOverdueWhileItLeadsOrWritesRightBeforeTheLeaseExpires) {
  lead();
  auto permit = leadership.admit({});
  clock.advance(milliseconds{14'499});
  EXPECT_FALSE(leadership.is_overdue());
  clock.advance(milliseconds{1});
  EXPECT_TRUE(leadership.is_overdue());
  EXPECT_FALSE(leadership.is_expired()) << "there is time left to end the process";
  leadership.step_down();
  EXPECT_TRUE(leadership.is_overdue()) << "a write still runs";
  permit->reset();
  EXPECT_FALSE(leadership.is_overdue());
}

TEST_F(LeadershipTest, HoldsWritesToTheirRate) {
  Leadership slow(clock, TokenBucket(10, 1), metrics);
  slow.lead({clock.steady() + seconds{10}, clock.steady() + seconds{15}});
  EXPECT_TRUE(slow.admit({}));
  const auto began = std::chrono::steady_clock::now();
  EXPECT_TRUE(slow.admit({}));
  EXPECT_GE(std::chrono::steady_clock::now() - began, milliseconds{90});
}

TEST_F(LeadershipTest, KeepsHalfOfTheBurstFromWhatCanWait) {
  Leadership busy(clock, TokenBucket(0.001, 4), metrics);
  busy.lead({clock.steady() + seconds{10}, clock.steady() + seconds{15}});
  EXPECT_TRUE(busy.admit_spare({}));
  EXPECT_TRUE(busy.admit_spare({}));
  std::stop_source stop;
  std::jthread patient([&] {
    EXPECT_EQ(busy.admit_spare(stop.get_token()).error().kind, kube::Kind::cancelled);
  });
  EXPECT_TRUE(busy.admit({})) << "what is due passes at once";
  EXPECT_TRUE(busy.admit({}));
  stop.request_stop();
}

TEST_F(LeadershipTest, EndsTheWaitOfWhatCanWaitWithTheTerm) {
  Leadership busy(clock, TokenBucket(0.001, 1), metrics);
  busy.lead({clock.steady() + seconds{10}, clock.steady() + seconds{15}});
  EXPECT_TRUE(busy.admit_spare({})) << "a burst of one is for anybody";
  std::jthread patient([&] { EXPECT_FALSE(busy.admit_spare({})); });
  busy.step_down();
}

TEST_F(LeadershipTest, LetsASpareWritePassThroughItsGateLikeAnyOther) {
  SpareGate gate(leadership);
  EXPECT_FALSE(gate.admit({}));
  lead();
  EXPECT_TRUE(gate.admit({}));
}

TEST_F(LeadershipTest, DoesNotMakeWhoIsToldToStopWaitForItsTurn) {
  Leadership slow(clock, TokenBucket(0.01, 1), metrics);
  slow.lead({clock.steady() + seconds{10}, clock.steady() + seconds{15}});
  EXPECT_TRUE(slow.admit({}));
  std::stop_source stop;
  stop.request_stop();
  EXPECT_FALSE(slow.admit(stop.get_token()));
}

}  // namespace
}  // namespace op::runtime
