#include "operator/runtime/leadership.hpp"

#include <gtest/gtest.h>

#include "tests/unit/operator/runtime/fakes.hpp"

namespace op::runtime {
namespace {

class LeadershipTest : public ::testing::Test {
 protected:
  void lead() { leadership.lead({clock.steady() + seconds{10}, clock.steady() + seconds{15}}); }
  VirtualClock clock;
  Metrics metrics{"c", 1, "h"};
  Leadership leadership{clock, TokenBucket(1000, 1000), metrics};
};

TEST_F(LeadershipTest, LetsNoWritePassBeforeATerm) {
  EXPECT_FALSE(leadership.is_leading());
  EXPECT_EQ(leadership.admit({}).error().kind, kube::Kind::cancelled);
  EXPECT_TRUE(leadership.term().stop_requested());
}

TEST_F(LeadershipTest, LetsWritesPassThatEndBeforeTheLeaseExpires) {
  lead();
  clock.advance(seconds{6});
  const auto permit = leadership.admit({});
  ASSERT_TRUE(permit);
  EXPECT_EQ((*permit)->time_left(), seconds{9});
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

TEST_F(LeadershipTest, IsOverdueWhileItLeadsOrWritesPastTheLease) {
  lead();
  auto permit = leadership.admit({});
  clock.advance(milliseconds{14'999});
  EXPECT_FALSE(leadership.is_overdue());
  clock.advance(milliseconds{1});
  EXPECT_TRUE(leadership.is_overdue());
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
